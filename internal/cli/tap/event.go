package tap

import (
	"encoding/json"
	"strings"
	"time"
)

// Directions of an event, seen from the pod that logs it.
const (
	Inbound  = "inbound"
	Outbound = "outbound"
)

// Event is a request or a TCP connection in the log of a sidecar.
type Event struct {
	Time time.Time `json:"time"`
	// Namespace and Pod are those of the sidecar that logged it.
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	Direction string `json:"direction"`
	// Peer is the identity of the client, "<namespace>/<service account>", or the cluster that receives an outbound request. It is empty if
	// there is none.
	Peer string `json:"peer,omitempty"`
	// Method and Path are empty for TCP connections.
	Method   string `json:"method,omitempty"`
	Path     string `json:"path,omitempty"`
	Host     string `json:"host,omitempty"`
	Protocol string `json:"protocol,omitempty"`
	// Status is 0 for TCP connections and for requests without a response.
	Status int `json:"status"`
	// DeniedBy is the policy that denied it, "no policy" if none allows it, or empty.
	DeniedBy string `json:"deniedBy,omitempty"`
	// Flags and Details are Envoy's explanations of the response.
	Flags   string `json:"flags,omitempty"`
	Details string `json:"details,omitempty"`
	// Milliseconds is the duration, of a connection until its end.
	Milliseconds float64 `json:"milliseconds"`
	Received     int64   `json:"bytesReceived"`
	Sent         int64   `json:"bytesSent"`
}

// IsRequest reports whether the event is an HTTP request.
func (e Event) IsRequest() bool { return e.Method != "" }

// entry is a line of the access log. Values that Envoy does not have are null.
type entry struct {
	StartTime string  `json:"start_time"`
	Method    string  `json:"method"`
	Path      string  `json:"path"`
	Authority string  `json:"authority"`
	Protocol  string  `json:"protocol"`
	Code      int     `json:"response_code"`
	Flags     string  `json:"response_flags"`
	Details   string  `json:"response_code_details"`
	Cluster   string  `json:"upstream_cluster"`
	Identity  string  `json:"source_identity"`
	DeniedBy  string  `json:"denied_by"`
	Duration  float64 `json:"duration"`
	Received  int64   `json:"bytes_received"`
	Sent      int64   `json:"bytes_sent"`
}

// Parse returns the event in a line of the log of a pod. Lines that are not of the access log, or that a Telemetry formats differently, are no
// events.
func Parse(namespace, pod string, line []byte) (Event, bool) {
	var e entry
	if json.Unmarshal(line, &e) != nil {
		return Event{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, e.StartTime)
	if err != nil {
		return Event{}, false
	}
	event := Event{
		Time: at, Namespace: namespace, Pod: pod, Direction: Outbound, Peer: e.Cluster, Method: e.Method, Path: e.Path, Host: e.Authority,
		Protocol: e.Protocol, Status: e.Code, DeniedBy: dashless(e.DeniedBy), Flags: dashless(e.Flags), Details: dashless(e.Details),
		Milliseconds: e.Duration, Received: e.Received, Sent: e.Sent,
	}
	if identity := dashless(e.Identity); identity != "" || strings.HasSuffix(e.Cluster, "|local") {
		event.Direction, event.Peer = Inbound, accountOf(identity)
	}
	return event, true
}

// dashless returns "" for the value that Envoy writes for nothing.
func dashless(text string) string {
	if text == "-" {
		return ""
	}
	return text
}

// accountOf returns "<namespace>/<service account>" of an identity "<service account>.<namespace>.<trust domain>", or the identity.
func accountOf(identity string) string {
	labels := strings.SplitN(identity, ".", 3)
	if len(labels) < 3 {
		return identity
	}
	return labels[1] + "/" + labels[0]
}
