// Adds the origin secret to each request, and overwrites what a client sent under that name (ADR 0025).
// Written by lambda/rotate_origin_secret, which replaces it at each rotation.
var HEADER = '__HEADER__';
var VALUE = '__VALUE__';

function handler(event) {
    var request = event.request;
    request.headers[HEADER] = { value: VALUE };
    return request;
}
