// Package fakepods plays pods for clients of an API server that has no nodes: it stands in front of the API server, and answers
// what is asked of pods themselves from files.
//
// Requests flow in; those to the API server flow on to it, and those to ports of pods (by port-forward or by the API server's
// proxy) are answered with the file <folder>/<namespace>/<pod>/<port>/<path>. A port without a folder cannot be reached.
package fakepods
