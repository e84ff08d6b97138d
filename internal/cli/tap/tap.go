package tap

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
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
	// Slot is the container of the sidecar in a pod that has two; empty in others.
	Slot      string `json:"slot,omitempty"`
	Direction string `json:"direction"`
	// Peer is the identity of the client, "<namespace>/<service account>", or the cluster that receives an outbound request, "<namespace>/<Service>|<port>".
	// It is empty if there is none. If Address is set, it is the Service at the address, or the address.
	Peer string `json:"peer,omitempty"`
	// Address is the destination "<IP>:<port>" of a connection that the sidecar of its client closed, because no policy allows it.
	Address string `json:"address,omitempty"`
	// Method and Path are empty for TCP connections.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	Host   string `json:"host,omitempty"`
	// RequestID is the header x-request-id. Requests of one trace have the same if the applications forward it.
	RequestID string `json:"requestId,omitempty"`
	Protocol  string `json:"protocol,omitempty"`
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
	RequestID string  `json:"request_id"`
	Protocol  string  `json:"protocol"`
	Code      int     `json:"response_code"`
	Flags     string  `json:"response_flags"`
	Details   string  `json:"response_code_details"`
	Cluster   string  `json:"upstream_cluster"`
	Identity  string  `json:"source_identity"`
	DeniedBy  string  `json:"denied_by"`
	Address   string  `json:"destination_address"`
	Duration  float64 `json:"duration"`
	Received  int64   `json:"bytes_received"`
	Sent      int64   `json:"bytes_sent"`
}

// Parse returns the event in a line of the log of a sidecar. Lines that are not of the access log, or that a Telemetry formats differently, are no
// events.
func Parse(sidecar Sidecar, line []byte) (Event, bool) {
	var e entry
	if json.Unmarshal(line, &e) != nil {
		return Event{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, e.StartTime)
	if err != nil {
		return Event{}, false
	}
	event := Event{
		Time: at, Namespace: sidecar.Namespace, Pod: sidecar.Name, Slot: sidecar.Slot, Direction: Outbound, Peer: e.Cluster, Method: e.Method,
		Path: e.Path, Host: e.Authority,
		RequestID: dashless(e.RequestID), Protocol: e.Protocol, Status: e.Code, DeniedBy: dashless(e.DeniedBy),
		Flags: dashless(e.Flags), Details: dashless(e.Details),
		Milliseconds: e.Duration, Received: e.Received, Sent: e.Sent,
	}
	if identity := dashless(e.Identity); identity != "" || strings.HasSuffix(e.Cluster, "|local") {
		event.Direction, event.Peer = Inbound, accountOf(identity)
	}
	if address := dashless(e.Address); address != "" {
		event.Address, event.Peer = address, address
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

// Filter selects events. Empty fields select everything.
type Filter struct {
	Direction string
	// Method is compared without case. Path is a prefix.
	Method, Path string
	// Status is a code such as 503, or a class such as 5xx.
	Status string
	// Peer is a part of the identity or of the cluster.
	Peer string
	// Denied selects what a policy denied.
	Denied bool
}

// Check returns an error that names what is wrong with a filter.
func (f Filter) Check() error {
	switch f.Direction {
	case "", Inbound, Outbound:
	default:
		return fmt.Errorf("invalid --direction %q: must be %s or %s", f.Direction, Inbound, Outbound)
	}
	if f.Status == "" {
		return nil
	}
	if class, isClass := strings.CutSuffix(f.Status, "xx"); isClass && len(class) == 1 && class >= "1" && class <= "5" {
		return nil
	}
	if code, err := strconv.Atoi(f.Status); err != nil || code < 0 || code > 599 {
		return fmt.Errorf("invalid --status %q: must be a code such as 503, or a class such as 5xx", f.Status)
	}
	return nil
}

// Selects reports whether an event passes the filter.
func (f Filter) Selects(e Event) bool {
	return (f.Direction == "" || f.Direction == e.Direction) &&
		(f.Method == "" || strings.EqualFold(f.Method, e.Method)) &&
		strings.HasPrefix(e.Path, f.Path) && strings.Contains(e.Peer, f.Peer) &&
		(!f.Denied || e.DeniedBy != "") && f.hasStatus(e.Status)
}

func (f Filter) hasStatus(status int) bool {
	if class, isClass := strings.CutSuffix(f.Status, "xx"); isClass {
		return strconv.Itoa(status/100) == class
	}
	return f.Status == "" || f.Status == strconv.Itoa(status)
}

// maxLine is the longest line that is read. Envoy limits headers to 60 KiB.
const maxLine = 1 << 20

// Pod is a pod with a sidecar.
type Pod struct{ Namespace, Name string }

// Sidecar is a container with a sidecar. Slot is its name in a pod that has two of them, and empty in others.
type Sidecar struct {
	Pod
	Slot string
}

// Result counts the lines of all pods.
type Result struct {
	// Events are lines of the access log in OSM's format, whether a filter selects them or not. Others are all other lines.
	Events, Others int
}

// Logs are the logs of sidecars.
type Logs struct {
	// Open opens the log of a sidecar.
	Open func(context.Context, Sidecar) (io.ReadCloser, error)
	// Service returns the Service at an address, "<namespace>/<name>|<port>", or "". Nil knows none.
	Service func(netip.AddrPort) string
}

// named returns an event with the Service at its address.
func (l Logs) named(e Event) Event {
	address, err := netip.ParseAddrPort(e.Address)
	if err == nil && l.Service != nil {
		e.Peer = cmp.Or(l.Service(address), e.Peer)
	}
	return e
}

// Follow reads the logs of sidecars until ctx ends or all logs end. It calls event for each one that the filter selects, one at a time. The first log
// that cannot be opened ends the others.
func Follow(ctx context.Context, sidecars []Sidecar, filter Filter, logs Logs, event func(Event)) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var result Result
	var wait sync.WaitGroup
	for _, sidecar := range sidecars {
		wait.Go(func() {
			log, err := logs.Open(ctx, sidecar)
			if err != nil {
				cancel(err)
				return
			}
			defer log.Close()
			defer context.AfterFunc(ctx, func() { _ = log.Close() })()
			lines := bufio.NewScanner(log)
			lines.Buffer(nil, maxLine)
			for lines.Scan() {
				found, ok := Parse(sidecar, lines.Bytes())
				mu.Lock()
				found = logs.named(found)
				if ok {
					result.Events++
				} else {
					result.Others++
				}
				if ok && filter.Selects(found) {
					event(found)
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return result, err
	}
	return result, nil
}

// Row is the traffic of one route between one pair of peers.
type Row struct {
	Namespace string `json:"namespace"`
	// Workload is the workload of the pod, such as deployment/web.
	Workload  string `json:"workload"`
	Direction string `json:"direction"`
	Peer      string `json:"peer,omitempty"`
	Method    string `json:"method,omitempty"`
	// Path has no query.
	Path  string `json:"path,omitempty"`
	Count int    `json:"count"`
	// Rate is the number per second.
	Rate float64 `json:"ratePerSecond"`
	// Success is the share of responses with a status from 100 to 499, from 0 to 1; nil for TCP connections.
	Success *float64 `json:"success,omitempty"`
	Denied  int      `json:"denied"`
	// DeniedBy is what denied the latest of them.
	DeniedBy string `json:"deniedBy,omitempty"`
	// Best, Median and Worst are durations in milliseconds.
	Best   float64 `json:"bestMilliseconds"`
	Median float64 `json:"medianMilliseconds"`
	Worst  float64 `json:"worstMilliseconds"`
}

// Top collects events into rows.
type Top struct {
	// Workload returns the name of the workload of a pod.
	Workload func(Pod) string
	rows     map[Row]*collected
}

type collected struct {
	durations         []float64
	succeeded, denied int
	deniedBy          string
}

// Add adds an event.
func (t *Top) Add(e Event) {
	path, _, _ := strings.Cut(e.Path, "?")
	key := Row{Namespace: e.Namespace, Workload: t.Workload(Pod{e.Namespace, e.Pod}), Direction: e.Direction, Peer: e.Peer, Method: e.Method, Path: path}
	if t.rows == nil {
		t.rows = map[Row]*collected{}
	}
	row := t.rows[key]
	if row == nil {
		row = &collected{}
		t.rows[key] = row
	}
	row.durations = append(row.durations, e.Milliseconds)
	if e.Status >= 100 && e.Status < 500 {
		row.succeeded++
	}
	if e.DeniedBy != "" {
		row.denied++
		row.deniedBy = e.DeniedBy
	}
}

// Rows returns the rows of a period, the busiest first.
func (t *Top) Rows(period time.Duration) []Row {
	rows := []Row{}
	for _, key := range slices.Collect(maps.Keys(t.rows)) {
		rows = append(rows, key.with(t.rows[key], period))
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Workload, b.Workload),
			cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Path, b.Path))
	})
	return rows
}

// with returns a row with its numbers.
func (r Row) with(c *collected, period time.Duration) Row {
	slices.Sort(c.durations)
	r.Count, r.Denied, r.DeniedBy = len(c.durations), c.denied, c.deniedBy
	r.Rate = float64(r.Count) / period.Seconds()
	r.Best, r.Median, r.Worst = c.durations[0], c.durations[len(c.durations)/2], c.durations[len(c.durations)-1]
	if r.Method != "" {
		share := float64(c.succeeded) / float64(r.Count)
		r.Success = &share
	}
	return r
}
