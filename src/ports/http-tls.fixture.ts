/** For tests only: a certificate for localhost and 127.0.0.1 that signed itself, valid for 100 years. Its key is public, so it protects nothing. */
export const testCertificate: string = `-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUR9Iu3AJqbBYNOcxqKnDqDdZ+wpowCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJdGVzdCBvbmx5MCAXDTI2MTEyMTA5MzQyMFoYDzIxMjYxMDI4
MDkzNDIwWjAUMRIwEAYDVQQDDAl0ZXN0IG9ubHkwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASIgC//dLuh7/xvTDUiXBmgztrPhJg9c5Dmz50uJ1QJxT0NxNfB7gGd
mZqfxLObAsqsBm7FlH60bFSTY2HomjBXo28wbTAdBgNVHQ4EFgQUCa8tri8BlRPZ
RJFr/AZl1100hfIwHwYDVR0jBBgwFoAUCa8tri8BlRPZRJFr/AZl1100hfIwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgaYbNoKm+qJjOuXC87qnmxeZ55BIV2a+Mod+lt/TiNgoCIExN
lf1PHONPb/EMsIR0BbhAp+YFLjjaq98IILdVx3Jc
-----END CERTIFICATE-----
`;

export const testKey: string = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjDXamVnNA0RwX4Ru
OlQC0Cm/MoBRuZ9SOiMBu96hzOWhRANCAASIgC//dLuh7/xvTDUiXBmgztrPhJg9
c5Dmz50uJ1QJxT0NxNfB7gGdmZqfxLObAsqsBm7FlH60bFSTY2HomjBX
-----END PRIVATE KEY-----
`;
