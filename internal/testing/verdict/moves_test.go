package verdict

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestMoves_FailNoRequest moves a Service between a TrafficSplit, an HTTPRoute, both and none, in any order, while clients send requests over connections
// that they keep. One client has all destinations, and another loads them on demand. A permanent grant allows each request at every backend.
func TestMoves_FailNoRequest(t *testing.T) {
	n := newNetwork(t, 2*responseTimeout, len(pods))
	n.Reset(t, flippingMesh())
	choose := rand.New(rand.NewPCG(3, 4))
	var clients []*keptConnection
	for _, pod := range []int{0, loading} {
		clients = append(clients, n.keepConnection(pod), n.keepConnection(pod))
	}
	const moves = 300
	for range moves {
		before := n.State
		n.State = before.with(anyMove(choose))
		n.control.apply(changes(before.entries(), n.State.entries()))
		switch choose.IntN(4) {
		case 0:
			if problem := n.waitAcknowledged(); problem != "" {
				t.Error(problem)
			}
		case 1:
			time.Sleep(time.Duration(choose.IntN(20)) * time.Millisecond)
		}
	}
	if problem := n.waitAcknowledged(); problem != "" {
		t.Error(problem)
	}
	for _, c := range clients {
		sent, failures := c.end()
		for _, failure := range failures {
			t.Errorf("%s: a request of %d sees %s", pods[c.pod].name, sent, failure)
		}
		if sent < moves {
			t.Errorf("%s sent only %d requests", pods[c.pod].name, sent)
		}
	}
}

// anyMove adds, changes or removes a TrafficSplit or a route, or both.
func anyMove(choose *rand.Rand) []catalog.Change {
	split, route := flippingSplit("rest", nil, choose), flippingRoute(choose)
	remove := func(e catalog.Entry) catalog.Change { return catalog.Change{Ref: e.Ref()} }
	return pick(choose,
		[]catalog.Change{catalog.Set(split)}, []catalog.Change{remove(split)},
		[]catalog.Change{catalog.Set(route)}, []catalog.Change{remove(route)},
		[]catalog.Change{catalog.Set(split), remove(route)}, []catalog.Change{catalog.Set(route), remove(split)},
	)
}

// flippingRoute sends all requests to some of the backends.
func flippingRoute(choose *rand.Rand) *catalog.HTTPRoute {
	rule := catalog.HTTPRouteRule{Matches: []catalog.RouteMatch{{PathType: catalog.PathPrefix, Path: "/"}}}
	for i := range 3 {
		rule.Backends = append(rule.Backends, catalog.RouteBackend{Service: services[i].name, Port: 80, Weight: choose.Uint32N(3)})
	}
	rule.Backends[choose.IntN(3)].Weight++
	return &catalog.HTTPRoute{
		Kind: entity.KindHTTPRoute, Name: Name("a", "route"), Created: time.Unix(choose.Int64N(3), 0),
		Parents: []catalog.RouteParent{{Service: services[0].name}}, Rules: []catalog.HTTPRouteRule{rule},
	}
}

// keptConnection sends requests one after the other over a connection.
type keptConnection struct {
	pod  int
	stop chan struct{}
	done sync.WaitGroup

	sent     int
	failures []string
}

// keepConnection starts to send requests from a pod to the first Service.
func (n *Network) keepConnection(pod int) *keptConnection {
	c := &keptConnection{pod: pod, stop: make(chan struct{})}
	client := &http.Client{Timeout: responseTimeout, Transport: &http.Transport{DialContext: n.pods[pod].NS.Dial}}
	url := "http://" + netip.AddrPortFrom(virtualAddress(1), 80).String() + "/a"
	c.done.Go(func() {
		defer client.CloseIdleConnections()
		for {
			select {
			case <-c.stop:
				return
			case <-time.After(interval):
			}
			began := time.Now()
			c.sent++
			if problem := get(client, url); problem != "" {
				c.failures = append(c.failures, fmt.Sprintf("%s after %s", problem, time.Since(began).Round(time.Millisecond)))
			}
		}
	})
	return c
}

// end stops the requests and returns how many were sent, and what those saw that failed.
func (c *keptConnection) end() (sent int, failures []string) {
	close(c.stop)
	c.done.Wait()
	return c.sent, c.failures
}

// get returns the problem of a request; empty if an application answers.
func get(client *http.Client, url string) string {
	answer, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusOK || answer.Header.Get(podHeader) == "" {
		return fmt.Sprintf("%s %.100q", answer.Status, body)
	}
	return ""
}
