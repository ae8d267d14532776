"""`pay`: one payment through what deploy-local made, and its way hop by hop."""
