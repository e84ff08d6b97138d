// Package endpoints reads the EndpointSlices of Services.
//
// The name of a Service flows in; whether one of its pods accepts connections flows out.
package endpoints
