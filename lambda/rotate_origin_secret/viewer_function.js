// Marks each request as the distribution's own, whatever a client sent under that name (ADR 0040).
// Written by lambda/rotate_origin_secret, which replaces it whole at each rotation.
var HEADER = '__HEADER__';
var VALUE = '__VALUE__';

function handler(event) {
    var request = event.request;
    request.headers[HEADER] = { value: VALUE };
    return request;
}
