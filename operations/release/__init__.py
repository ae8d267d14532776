"""`release`: a new image of a service, by CodeDeploy or by ECS, with progress on the screen."""
