package telemetry

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// operators are the command operators that a format may have. Others are rejected, also because some read files of the sidecar, such
// as its token.
var operators = []string{
	"ACCESS_LOG_TYPE", "BYTES_RECEIVED", "BYTES_SENT", "CEL", "CLUSTER_METADATA", "CONNECTION_ID", "CONNECTION_TERMINATION_DETAILS",
	"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_HEADER_BYTES_RECEIVED",
	"DOWNSTREAM_HEADER_BYTES_SENT", "DOWNSTREAM_LOCAL_ADDRESS", "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_LOCAL_DNS_SAN",
	"DOWNSTREAM_LOCAL_PORT", "DOWNSTREAM_LOCAL_SUBJECT", "DOWNSTREAM_LOCAL_URI_SAN", "DOWNSTREAM_PEER_CERT_V_END",
	"DOWNSTREAM_PEER_CERT_V_START", "DOWNSTREAM_PEER_DNS_SAN", "DOWNSTREAM_PEER_FINGERPRINT_256", "DOWNSTREAM_PEER_ISSUER",
	"DOWNSTREAM_PEER_SERIAL", "DOWNSTREAM_PEER_SUBJECT", "DOWNSTREAM_PEER_URI_SAN", "DOWNSTREAM_REMOTE_ADDRESS",
	"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_REMOTE_PORT", "DOWNSTREAM_TLS_CIPHER", "DOWNSTREAM_TLS_SESSION_ID",
	"DOWNSTREAM_TLS_VERSION", "DOWNSTREAM_TRANSPORT_FAILURE_REASON", "DOWNSTREAM_WIRE_BYTES_RECEIVED", "DOWNSTREAM_WIRE_BYTES_SENT",
	"DURATION", "DYNAMIC_METADATA", "EMIT_TIME", "ENVIRONMENT", "FILTER_CHAIN_NAME", "GRPC_STATUS", "GRPC_STATUS_NUMBER", "HOSTNAME",
	"LOCAL_REPLY_BODY", "METADATA", "PATH", "PROTOCOL", "QUERY_PARAM", "QUERY_PARAMS", "REQ", "REQUESTED_SERVER_NAME",
	"REQUEST_DURATION", "REQUEST_HEADERS_BYTES",
	"REQUEST_TX_DURATION", "RESP", "RESPONSE_CODE", "RESPONSE_CODE_DETAILS", "RESPONSE_DURATION", "RESPONSE_FLAGS",
	"RESPONSE_FLAGS_LONG", "RESPONSE_HEADERS_BYTES", "RESPONSE_TRAILERS_BYTES", "RESPONSE_TX_DURATION", "ROUNDTRIP_DURATION", "ROUTE_NAME",
	"START_TIME", "STREAM_ID", "TLS_JA3_FINGERPRINT", "TRACE_ID", "TRAILER", "UNIQUE_ID", "UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW", "UPSTREAM_CONNECTION_ID",
	"UPSTREAM_HEADER_BYTES_RECEIVED", "UPSTREAM_HEADER_BYTES_SENT", "UPSTREAM_HOST", "UPSTREAM_HOST_NAME", "UPSTREAM_LOCAL_ADDRESS",
	"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", "UPSTREAM_LOCAL_DNS_SAN", "UPSTREAM_LOCAL_PORT", "UPSTREAM_LOCAL_URI_SAN", "UPSTREAM_METADATA",
	"UPSTREAM_PEER_DNS_SAN", "UPSTREAM_PEER_ISSUER", "UPSTREAM_PEER_SUBJECT", "UPSTREAM_PEER_URI_SAN", "UPSTREAM_PROTOCOL",
	"UPSTREAM_REMOTE_ADDRESS", "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "UPSTREAM_REMOTE_PORT", "UPSTREAM_REQUEST_ATTEMPT_COUNT",
	"UPSTREAM_TLS_CIPHER", "UPSTREAM_TLS_VERSION", "UPSTREAM_TRANSPORT_FAILURE_REASON", "UPSTREAM_WIRE_BYTES_RECEIVED",
	"UPSTREAM_WIRE_BYTES_SENT", "VIRTUAL_CLUSTER_NAME",
}

// withParameter are the operators that need a parameter in parentheses. Others that may have one are in mayHaveParameter.
var (
	withParameter = []string{
		"CEL", "CLUSTER_METADATA", "DYNAMIC_METADATA", "ENVIRONMENT", "METADATA", "QUERY_PARAM", "REQ", "RESP",
		"TRAILER", "UPSTREAM_METADATA",
	}
	mayHaveParameter = []string{"DOWNSTREAM_PEER_CERT_V_END", "DOWNSTREAM_PEER_CERT_V_START", "EMIT_TIME", "GRPC_STATUS", "PATH", "QUERY_PARAMS", "START_TIME"}
)

// checkFormat returns why sidecars cannot use a format; empty if they can.
func checkFormat(format string) string {
	for format != "" {
		start := strings.IndexByte(format, '%')
		if start < 0 {
			return ""
		}
		format = format[start+1:]
		if strings.HasPrefix(format, "%") {
			format = format[1:]
			continue
		}
		length, reason := checkOperator(format)
		if reason != "" {
			return reason
		}
		format = format[length:]
	}
	return ""
}

// checkOperator checks an operator at the beginning of a text, after its percent sign. It returns its length.
func checkOperator(text string) (length int, reason string) {
	end := strings.IndexFunc(text, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' })
	if end <= 0 {
		return 0, fmt.Sprintf("has a percent sign before %.40q that begins no command operator: write %%%% for a percent sign", text)
	}
	name, rest := text[:end], text[end:]
	if !slices.Contains(operators, name) {
		return 0, fmt.Sprintf("has the command operator %%%.40s%%, which is not one that the mesh allows: see the list of Envoy's documentation, and write %%%% for a percent sign", name)
	}
	parameter := ""
	if strings.HasPrefix(rest, "(") {
		closing := closingParenthesis(rest)
		if closing < 0 {
			return 0, fmt.Sprintf("has %%%s( without the closing parenthesis", name)
		}
		parameter, rest = rest[1:closing], rest[closing+1:]
	}
	needs := slices.Contains(withParameter, name)
	switch {
	case needs && parameter == "":
		return 0, fmt.Sprintf("has %%%s%% without its parameter: write it in parentheses", name)
	case parameter != "" && !needs && !slices.Contains(mayHaveParameter, name):
		return 0, fmt.Sprintf("has %%%s(%.40s)%%, which has no parameter", name, parameter)
	case name == "CEL":
		if err := checkValue(parameter); err != nil {
			return 0, fmt.Sprintf("has an invalid expression: %s", err)
		}
	}
	if digits, limited := strings.CutPrefix(rest, ":"); limited {
		rest = strings.TrimLeft(digits, "0123456789")
		if len(rest) == len(digits) || len(digits)-len(rest) > 5 {
			return 0, fmt.Sprintf("has %%%s with a colon that no length of up to 5 digits follows", name)
		}
	}
	if !strings.HasPrefix(rest, "%") {
		return 0, fmt.Sprintf("has %%%s without the percent sign at its end", name)
	}
	return len(text) - len(rest) + 1, ""
}

// closingParenthesis returns the index of the parenthesis that closes the first one; -1 if there is none.
func closingParenthesis(text string) int {
	depth := 0
	for i, r := range text {
		switch r {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// Operators returns every command operator that a format may have, with an example of its parameter if it needs one.
func Operators() []string {
	examples := map[string]string{
		"CEL": "response.code", "DYNAMIC_METADATA": "a:b", "CLUSTER_METADATA": "a:b",
		"UPSTREAM_METADATA": "a:b", "METADATA": "ROUTE:a:b",
	}
	var all []string
	for _, name := range operators {
		if slices.Contains(withParameter, name) {
			name += "(" + cmp.Or(examples[name], "x-name") + ")"
		}
		all = append(all, "%"+name+"%")
	}
	return all
}
