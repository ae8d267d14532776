"""Deployment of the payment API with the CDK, on AWS and on the local AWS."""
