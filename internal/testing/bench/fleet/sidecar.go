package fleet

import (
	"slices"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// held is the state of one resource name in a sidecar.
type held struct {
	resource *resource
	version  *string
}

// sidecar is the state of one sidecar across connections. While it is connected, its own goroutine uses it.
type sidecar struct {
	fleet *Fleet
	id    string
	token string
	held  [numKinds]map[*name]held
	// desired counts the clusters and listeners that refer to a name.
	desired [numKinds]map[*name]int32
	asked   [numKinds]bool
	expect  expectation
}

func newSidecar(f *Fleet, id, token string) *sidecar {
	s := &sidecar{fleet: f, id: id, token: token}
	for k := range s.held {
		s.held[k], s.desired[k] = map[*name]held{}, map[*name]int32{}
	}
	return s
}

// open returns the first requests of a connection, with the versions of resources from earlier connections.
func (s *sidecar) open() []*discovery.DeltaDiscoveryRequest {
	s.asked[clusters] = true
	var requests []*discovery.DeltaDiscoveryRequest
	for k := range numKinds {
		if !s.asked[k] {
			continue
		}
		req := &discovery.DeltaDiscoveryRequest{TypeUrl: urls[k]}
		for n := range s.desired[k] {
			req.ResourceNamesSubscribe = append(req.ResourceNamesSubscribe, n.text)
		}
		if len(s.held[k]) > 0 {
			req.InitialResourceVersions = make(map[string]string, len(s.held[k]))
		}
		for n, h := range s.held[k] {
			req.InitialResourceVersions[n.text] = *h.version
		}
		requests = append(requests, req)
	}
	requests[0].Node = &core.Node{Id: s.id, Cluster: "bench"}
	return requests
}

// receive applies a response and returns the requests that follow: new subscriptions, then the ACK.
func (s *sidecar) receive(r *response) ([]*discovery.DeltaDiscoveryRequest, error) {
	var subscribe, unsubscribe [numKinds][]*name
	for _, got := range r.resources {
		n := s.fleet.known.name(r.kind, got.name)
		res, err := s.fleet.known.resource(r.kind, got.value)
		if err != nil {
			return nil, err
		}
		before := s.held[r.kind][n].resource
		s.held[r.kind][n] = held{res, s.fleet.known.version(got.version)}
		if before != res {
			s.refer(res, 1, &subscribe)
			s.refer(before, -1, &unsubscribe)
		}
		s.expect.got(n, res.hash)
	}
	for _, text := range r.removed {
		n := s.fleet.known.name(r.kind, text)
		s.refer(s.held[r.kind][n].resource, -1, &unsubscribe)
		delete(s.held[r.kind], n)
	}
	requests := s.resubscribe(subscribe, unsubscribe)
	requests = append(requests, &discovery.DeltaDiscoveryRequest{TypeUrl: urls[r.kind], ResponseNonce: r.nonce})
	if !s.asked[listeners] && s.asked[endpoints] && len(s.held[endpoints]) >= len(s.desired[endpoints]) {
		s.asked[listeners] = true
		requests = append(requests, &discovery.DeltaDiscoveryRequest{TypeUrl: urls[listeners]})
	}
	return requests, nil
}

// refer adds to the reference counts of a resource, and collects the names whose subscription changes.
func (s *sidecar) refer(r *resource, by int32, changed *[numKinds][]*name) {
	if r == nil {
		return
	}
	for _, n := range r.refs {
		count := s.desired[n.kind][n] + by
		if count > 0 {
			s.desired[n.kind][n] = count
		} else {
			delete(s.desired[n.kind], n)
			delete(s.held[n.kind], n)
		}
		if count == 0 || (by > 0 && count == 1) {
			changed[n.kind] = append(changed[n.kind], n)
		}
	}
}

func (s *sidecar) resubscribe(subscribe, unsubscribe [numKinds][]*name) []*discovery.DeltaDiscoveryRequest {
	var requests []*discovery.DeltaDiscoveryRequest
	for k := range numKinds {
		if len(subscribe[k])+len(unsubscribe[k]) == 0 {
			continue
		}
		s.asked[k] = true
		requests = append(requests, &discovery.DeltaDiscoveryRequest{
			TypeUrl: urls[k], ResourceNamesSubscribe: texts(subscribe[k]), ResourceNamesUnsubscribe: texts(unsubscribe[k]),
		})
	}
	return requests
}

func texts(names []*name) []string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = n.text
	}
	slices.SortFunc(list, strings.Compare)
	return list
}
