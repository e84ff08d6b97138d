// Package backoff limits how long the parts of the mesh wait before they try again what failed.
//
// The defaults of the libraries protect the API server from thousands of clients: informers wait up to a minute, and controllers up to 17
// minutes. After an interruption of an hour, policies that were changed meanwhile would have no effect for that long.
//
// Requests of informers flow in; those that fail because the API server is not reachable are repeated, and everything else flows out as it
// is. For controllers, rate limiters flow out. Programs that start while the API server is away wait until it answers.
package backoff
