package prometheus

// The definition of a failed request, for all numbers of the mesh. A response to a gRPC call has the HTTP status 200 whatever its outcome.
const (
	// failedResponse matches the HTTP status of failed requests: 500 or more, or no response.
	failedResponse = `"5..|0"`
	// failedCall matches the gRPC status of failed calls, those with which a server or a sidecar says that it could not answer: UNKNOWN, DEADLINE_EXCEEDED,
	// RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS. Other requests have no such status.
	failedCall = `"2|4|8|12|13|14|15"`
)

// Failed returns the expression for a function of the series of failed requests. The function gets matchers, and returns an expression with them, such as
// rate(osm_request_total{<matchers>}[5m]).
func Failed(function func(matchers string) string) string {
	return "(" + function("response_code=~"+failedResponse) + " or " + function("grpc_status=~"+failedCall) + ")"
}

// Succeeded is Failed for the requests that did not fail. Their series have the matchers both.
func Succeeded(function func(matchers string) string) string {
	return function("response_code!~" + failedResponse + ",grpc_status!~" + failedCall)
}
