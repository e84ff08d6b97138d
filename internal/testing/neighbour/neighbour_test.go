package neighbour

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/seed"
)

var (
	objects = flag.Int("neighbour.objects", 200, "how many invalid objects to try")
	first   = flag.Uint64("neighbour.seed", seed.Or(uint64(time.Now().UnixNano())), "of the random values")
)

const (
	// batch is how many objects change at a time.
	batch = 5
	// restartEvery is after how many batches the control plane restarts.
	restartEvery = 10
)

// TestInvalidObjectsOfOneNamespace stores random invalid objects of one namespace.
func TestInvalidObjectsOfOneNamespace(t *testing.T) {
	t.Logf("-neighbour.seed=%d", *first)
	random := rand.New(rand.NewPCG(*first, 0))
	scheme, err := kube.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	n := newNetwork(t)
	loaded, err := load.FromObjects("osm", scheme, decode(t, mesh+n.manifests))
	if err != nil {
		t.Fatal(err)
	}
	n.control.set(loaded.Entries)
	valid := decode(t, hostile)
	put := func(list ...*unstructured.Unstructured) error {
		for _, object := range list {
			object.SetNamespace("evil")
			object.SetCreationTimestamp(metav1.NewTime(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))) // the objects of the shop are older
		}
		_, err := loaded.Edit("osm", scheme, list, nil)
		return err
	}
	if err := put(valid...); err != nil {
		t.Fatal(err)
	}
	n.control.set(loaded.Entries)
	eventually.True(t, 30*time.Second, "the mesh works", func() bool { return n.requests() == "" })
	n.expectAnswers(t)
	if rejections := n.control.current().Rejections(); len(rejections) > 0 {
		t.Fatalf("a valid object is rejected: %+v", rejections[0])
	}
	routes := routesOf(t, n.gateway, "shop.example")
	if routes == "" {
		t.Fatal("the gateway has no routes for the shop")
	}
	stop, failures := n.requestAlways()
	var drawn []string
	for i := 0; i < *objects; i += batch {
		drawn = drawn[:0]
		var edited []*unstructured.Unstructured
		for len(edited) < batch {
			object, description := drawInvalid(random, valid)
			if put(object) != nil {
				continue // the API server does not store values of another type
			}
			edited, drawn = append(edited, object), append(drawn, description)
		}
		n.control.set(loaded.Entries)
		if i/batch%restartEvery == restartEvery-1 {
			n.control.restart(t)
		}
		n.expectAnswers(t)
		if problem := n.problem(); problem != "" {
			t.Errorf("after %d objects, %s\n%s", i+batch, problem, strings.Join(drawn, "\n"))
		}
		if got := routesOf(t, n.gateway, "shop.example"); got != routes {
			t.Errorf("after %d objects, the gateway has other routes for the shop: %s\n%s", i+batch, got, strings.Join(drawn, "\n"))
		}
		select {
		case failure := <-failures:
			t.Errorf("after %d objects, a request failed %s\n%s", i+batch, failure, strings.Join(drawn, "\n"))
		default:
		}
		// The valid objects return, so that each invalid one is seen alone.
		if err := put(valid...); err != nil {
			t.Fatal(err)
		}
		n.control.set(loaded.Entries)
		if t.Failed() {
			break
		}
	}
	stop()
}

// requestAlways sends requests until stop is called.
func (n *network) requestAlways() (stop func(), failures <-chan string) {
	failed, end, ended := make(chan string, 1), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-time.After(20 * time.Millisecond):
			}
			if failure := n.requests(); failure != "" {
				select {
				case failed <- failure:
				default:
				}
			}
		}
	}()
	return func() { close(end); <-ended }, failed
}

// expectAnswers waits until all sidecars are connected and have answered.
func (n *network) expectAnswers(t *testing.T) {
	t.Helper()
	state := ""
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		proxies := n.control.current().Proxies()
		if state = fmt.Sprintf("%d sidecars are connected", len(proxies)); len(proxies) < n.sidecars() {
			continue
		}
		waiting := false
		for _, proxy := range proxies {
			for kind, answers := range proxy.Types {
				if answers.IsAwaitingAnswer() {
					waiting, state = true, fmt.Sprintf("%s has not answered %s", proxy.Pod, kind)
				}
			}
		}
		if !waiting {
			return
		}
	}
	t.Errorf("after 10 seconds, %s", state)
}

func (n *network) sidecars() int { return len(n.control.peers) }

// problem returns what invalid objects have done to others.
func (n *network) problem() string {
	store := n.control.current()
	for _, rejection := range store.Rejections() {
		if rejection.Policy.Name.Namespace != "evil" {
			return fmt.Sprintf("a policy of another namespace is quarantined: %+v", rejection)
		}
	}
	proxies := store.Proxies()
	slices.SortFunc(proxies, func(a, b status.Proxy) int { return a.Pod.Compare(b.Pod) })
	for _, proxy := range proxies {
		for kind, answers := range proxy.Types {
			if answers.Rejected > 0 {
				return fmt.Sprintf("%s rejects %s: %s", proxy.Pod, kind, answers.Rejection)
			}
		}
	}
	return ""
}
