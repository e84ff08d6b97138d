// Package changetrace exports the traces of changes of a control plane over OTLP.
//
// Complete traces of batches flow in, with the time that each spent in every stage. Spans flow out, by the SDK of OpenTelemetry, to the server
// that receives the traces of requests.
package changetrace
