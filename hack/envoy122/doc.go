// Command envoy122 checks Envoy resources with the protocol buffers of Envoy 1.22, which sidecars of Open Service Mesh v1.2 run. It is a
// module of its own, because one program cannot contain two versions of them.
//
// Its input is a JSON array of resources, each with its type URL and its encoding. Its output is one line for each thing that the protocol buffers of
// that time do not know or reject: types, fields, values of enumerations, and what their validation rules forbid. Any such line is a failure.
package main
