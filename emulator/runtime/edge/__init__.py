"""CloudFront's edge on this machine: distributions answer by HTTP and HTTPS on 127.0.0.1, by what they are configured.

A request goes as on AWS: the certificate of the name; the web ACL; the cache behavior of the path, with its viewer
protocol policy and its methods; the viewer function; the cache, by the cache policy; the origin or the origin group,
with what the cache and origin request policies let through; error pages; the response headers policy.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/HowCloudFrontWorks.html

Whatever else a distribution states is an error (501): Lambda@Edge, viewer-response functions, signed URLs, restrictions
by country, CORS and Server-Timing headers, headers that CloudFront adds (CloudFront-*), legacy cache settings, website
endpoints of S3. Not emulated, and without an effect that a rehearsal would see: compression, ranges of bytes,
conditional requests to an origin, HTTP/2 and 3, access logs, several edge locations.
"""
