"""Who signs in, what he holds, for whom he acts."""
