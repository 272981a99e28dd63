"""What every page stands on: base classes, lists, forms, words, menu, errors."""
