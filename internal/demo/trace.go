package demo

import "net/http"

// traceHeaders are the headers of a trace, of W3C and of B3. A program copies them from a request to those that it makes in turn.
var traceHeaders = []string{
	"Traceparent", "Tracestate", "B3", "X-B3-Traceid", "X-B3-Spanid", "X-B3-Parentspanid", "X-B3-Sampled", "X-B3-Flags", "X-Request-Id",
}

// traceOf returns the headers of the trace that a request belongs to.
func traceOf(request http.Header) http.Header {
	trace := http.Header{}
	for _, name := range traceHeaders {
		if values := request.Values(name); len(values) > 0 {
			trace[name] = values
		}
	}
	return trace
}
