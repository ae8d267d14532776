"""From the client to a service: CloudFront, web ACLs, DNS, certificates, load balancers, their logs and alarms."""
