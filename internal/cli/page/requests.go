package page

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Bounds on what is read for the requests of an edge, a node, or a trace.
const (
	requestPeriod = 10 * time.Minute
	requestLines  = 1000
	// requestPods is the maximum number of pods on each side of an edge, and tracePods that of a trace.
	requestPods = 5
	tracePods   = 50
	maxRequests = 50
	maxSpans    = 100
)

// Requests are requests and connections in access logs, the latest first, or those of one trace in their order.
type Requests struct {
	Requests []Request `json:"requests"`
	// Notes are what is missing, in words.
	Notes []string `json:"notes"`
}

// Request is a request in the log of one sidecar.
type Request struct {
	tap.Event
	// Account is the service account of the pod that logged it, "<namespace>/<name>".
	Account string `json:"account"`
	// Server is the same request in the log of the server. It is nil if that is not found.
	Server *tap.Event `json:"server,omitempty"`
}

// Requests returns the last requests between two nodes of the graph, or those of one node if to is empty.
func (r Reader) Requests(ctx context.Context, from, to string) (*Requests, error) {
	selected, err := r.selection(ctx)
	if err != nil {
		return nil, err
	}
	if to == "" {
		return selected.ofNode(ctx, from)
	}
	denials, err := r.Denials(ctx)
	if err != nil {
		return nil, err
	}
	return selected.ofEdge(ctx, from, to, addressesOf(denials, from, to))
}

// addressesOf returns the addresses that an edge was denied. The logs of connections that a client's sidecar closed have addresses only.
func addressesOf(denials []report.Denial, from, to string) map[string]bool {
	addresses := map[string]bool{}
	for _, d := range denials {
		if d.Client == accountOfNode(from) && (to == Service+":"+d.Service || to == Outside+":"+d.Address) {
			addresses[d.Address] = true
		}
	}
	return addresses
}

// selection is where the logs of nodes are.
type selection struct {
	logs     Logs
	sidecars []Sidecar
	backing  Backing
	accounts map[string]string
	// settings is nil if they cannot be read.
	settings *Settings
}

func (r Reader) selection(ctx context.Context) (selection, error) {
	mesh, err := r.Mesh(ctx)
	if err != nil {
		return selection{}, err
	}
	sidecars, _, err := r.Sidecars(ctx)
	if err != nil {
		return selection{}, err
	}
	found := selection{logs: r.Logs, sidecars: sidecars, accounts: accountsOf(sidecars)}
	if settings, err := r.Settings(ctx); err == nil {
		found.settings = &settings
	}
	found.backing, err = r.backing(ctx, mesh.Members, sidecars)
	return found, err
}

// pods returns the pods of a workload, or of the workloads behind a Service.
func (s selection) pods(node string) []tap.Sidecar {
	accounts := []string{accountOfNode(node)}
	if service, ok := nameOfNode(node, Service); ok {
		accounts = s.backing[service]
	}
	return lists.FlatMap(accounts, func(account string) []tap.Sidecar { return podsOf(s.sidecars, account) })
}

// read returns the events of at most some pods, with notes about what is missing.
func (s selection) read(ctx context.Context, pods []tap.Sidecar, limit int) ([]tap.Event, []string) {
	notes := []string{}
	if len(pods) > limit {
		notes = append(notes, fmt.Sprintf("Only the logs of %d of %d pods are read.", limit, len(pods)))
		pods = pods[:limit]
	}
	events, failures := s.logs.read(ctx, pods, LogOptions{Since: requestPeriod, Lines: requestLines})
	for _, failure := range failures {
		notes = append(notes, failure.Error())
	}
	return events, notes
}

func (s selection) request(e tap.Event) Request {
	return Request{Event: e, Account: s.accounts[e.Namespace+"/"+e.Pod]}
}

func (s selection) ofNode(ctx context.Context, node string) (*Requests, error) {
	events, notes := s.read(ctx, s.pods(node), requestPods)
	result := &Requests{Requests: []Request{}, Notes: append(s.settings.requestsNotes(), notes...)}
	for _, e := range events {
		result.Requests = append(result.Requests, s.request(e))
	}
	return result.latest(), nil
}

// ofEdge joins what the client and the server logged by the identifier of the request. What only one of them logged is included.
func (s selection) ofEdge(ctx context.Context, from, to string, denied map[string]bool) (*Requests, error) {
	sent, notes := s.read(ctx, s.pods(from), requestPods)
	received, more := s.read(ctx, s.pods(to), requestPods)
	result := &Requests{Requests: []Request{}, Notes: append(append(s.settings.requestsNotes(), notes...), more...)}
	served := map[string]*tap.Event{}
	for i := range received {
		if e := &received[i]; e.Direction == tap.Inbound && e.Peer == accountOfNode(from) && e.RequestID != "" {
			served[e.RequestID] = e
		}
	}
	for _, e := range sent {
		key, ok := edgeOf(accountOfNode(from), e.Peer)
		isOfEdge := ok && key.to == to || e.Address != "" && denied[e.Address]
		if e.Direction != tap.Outbound || !isOfEdge {
			continue
		}
		request := s.request(e)
		request.Server = served[e.RequestID]
		delete(served, e.RequestID)
		result.Requests = append(result.Requests, request)
	}
	for _, e := range served {
		result.Requests = append(result.Requests, s.request(*e))
	}
	return result.latest(), nil
}

// latest sorts requests, the latest first, and keeps some.
func (r *Requests) latest() *Requests {
	slices.SortFunc(r.Requests, func(a, b Request) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.RequestID, b.RequestID))
	})
	r.Requests = r.Requests[:min(len(r.Requests), maxRequests)]
	return r
}

// validID is what the page asks for: the identifiers that sidecars create, and those of clients that look alike.
var validID = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)

// Trace returns what all sidecars logged about the requests with an identifier, in the order of their start. Applications that forward the header
// x-request-id connect their requests in that way.
func (r Reader) Trace(ctx context.Context, id string) (*Requests, error) {
	if !validID.MatchString(id) {
		return nil, fmt.Errorf("%q is not the identifier of a request", id)
	}
	selected, err := r.selection(ctx)
	if err != nil {
		return nil, err
	}
	events, notes := selected.read(ctx, lists.Map(selected.sidecars, Sidecar.log), tracePods)
	result := &Requests{Requests: []Request{}, Notes: append(selected.settings.traceNotes(id), notes...)}
	for _, e := range events {
		if e.RequestID == id {
			result.Requests = append(result.Requests, selected.request(e))
		}
	}
	slices.SortStableFunc(result.Requests, func(a, b Request) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(b.Milliseconds, a.Milliseconds), cmp.Compare(b.Direction, a.Direction))
	})
	result.Requests = result.Requests[:min(len(result.Requests), maxSpans)]
	return result, nil
}
