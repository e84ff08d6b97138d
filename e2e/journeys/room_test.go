package journeys

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// outsideMesh is the mesh of namespaces that belong to none.
const outsideMesh = ""

// uniqueName is a name that no earlier run has left behind.
func uniqueName(prefix string) string { return prefix + "-" + uuid.NewString()[:6] }

// namespace makes a namespace for a test. A failed test says what happened in it; afterwards it is deleted.
func namespace(t *testing.T, prefix, mesh string) string {
	t.Helper()
	name := uniqueName(prefix)
	must(t, cluster.CreateNamespace(t.Context(), name, mesh))
	cleanUp(t, name)
	return name
}

// cleanUp deletes a namespace after a test, and tells what happened in it if the test failed.
func cleanUp(t *testing.T, name string) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		describeFailure(t, name)
		if err := cluster.DeleteNamespace(ctx, name); err != nil {
			t.Log(err)
		}
	})
}

// described holds the namespaces whose state was told already: once is enough for all that failed in them.
var described sync.Map

// describeFailure tells what happened in a namespace if the test failed.
func describeFailure(t *testing.T, namespace string) {
	if !t.Failed() {
		return
	}
	if _, told := described.LoadOrStore(namespace, true); !told {
		t.Log(cluster.Describe(context.Background(), namespace))
	}
}

// person is a test pod that calls others, or is called.
type person struct {
	*lab.Agent
	namespace, name string
}

// pods creates test pods, each with its account and Service, and waits until they are ready.
func pods(t *testing.T, namespace string, people ...string) map[string]person {
	t.Helper()
	result := map[string]person{}
	for _, name := range people {
		account, pod := cluster.TestPod(namespace, name)
		must(t, cluster.Create(t.Context(), account, lab.TestService(namespace, name), pod))
		result[name] = person{cluster.Agent(t.Context(), namespace, name, lab.AgentPort), namespace, name}
	}
	must(t, cluster.PodsReady(t.Context(), podLimit, namespace))
	return result
}

// url is how others call a path of the person's Service.
func (p person) url(path string) string {
	return fmt.Sprintf("http://%s.%s:%d%s", p.name, p.namespace, lab.HTTPPort, path)
}

// address is how others reach a TCP port of the person's Service.
func (p person) address(port int) string { return fmt.Sprintf("%s.%s:%d", p.name, p.namespace, port) }

// pod reads the person's pod.
func (p person) pod(t *testing.T) *corev1.Pod {
	t.Helper()
	var pod corev1.Pod
	must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: p.namespace, Name: p.name}, &pod))
	return &pod
}

// ips are the person's own address of each family.
func (p person) ips(t *testing.T) (v4, v6 string) { return families(t, podIPs(p.pod(t))) }

// clusterIPs are the addresses of the person's Service.
func (p person) clusterIPs(t *testing.T) (v4, v6 string) {
	t.Helper()
	var service corev1.Service
	must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: p.namespace, Name: p.name}, &service))
	return families(t, service.Spec.ClusterIPs)
}

func podIPs(pod *corev1.Pod) []string {
	var all []string
	for _, ip := range pod.Status.PodIPs {
		all = append(all, ip.IP)
	}
	return all
}

func families(t *testing.T, addresses []string) (v4, v6 string) {
	t.Helper()
	for _, address := range addresses {
		if strings.Contains(address, ":") {
			v6 = address
		} else {
			v4 = address
		}
	}
	if v4 == "" || v6 == "" {
		t.Fatalf("addresses %v are not of both families", addresses)
	}
	return v4, v6
}

// gets waits until a request ends as wanted, and then wants the same of three more.
func (p person) gets(t *testing.T, url, want string, args ...string) *report.Requests {
	t.Helper()
	return p.getsWithin(t, policyLimit, url, want, args...)
}

// getsWithin is gets with another limit.
func (p person) getsWithin(t *testing.T, limit time.Duration, url, want string, args ...string) *report.Requests {
	t.Helper()
	start := time.Now()
	eventually(t, limit, p.name+" calls "+url+" and gets "+want, func(ctx context.Context) (bool, string, error) {
		result, err := p.Requests(ctx, url, args...)
		if err != nil {
			return false, "", err
		}
		return result.Outcomes[want] > 0, fmt.Sprint(result.Outcomes, result.Errors), nil
	})
	took := time.Since(start)
	result, err := p.Requests(t.Context(), url, append([]string{"--count", "3"}, args...)...)
	must(t, err)
	if result.Outcomes[want] != 3 {
		t.Errorf("%s calls %s and gets %s at first, but then %v %v", p.name, url, want, result.Outcomes, result.Errors)
	}
	t.Logf("%s calls %s and gets %s after %s", p.name, url, want, took.Round(time.Millisecond))
	return result
}

// onlySuccess fails the test unless every request of a load got 200 and the load was a real one.
func onlySuccess(t *testing.T, load *report.Requests, atLeast int) {
	t.Helper()
	t.Logf("%d requests, %v, late by up to %s", load.Requests, load.Outcomes, load.Late)
	if load.Requests < atLeast {
		t.Errorf("only %d requests were sent: at least %d would say something", load.Requests, atLeast)
	}
	if load.Outcomes["200"] != load.Requests {
		t.Errorf("of %d requests %v ended otherwise than with 200: %v", load.Requests, load.Outcomes, load.Errors)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until look says that something is so.
func eventually(t *testing.T, limit time.Duration, what string, look func(context.Context) (done bool, saw string, err error)) {
	t.Helper()
	must(t, lab.Until(t.Context(), limit, what, look))
}

// refused wants an error that contains each of the parts.
func refused(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the refusal does not say %q: %v", part, err)
		}
	}
}

// meshNamespace is a namespace in the mesh that all tests share.
func meshNamespace(t *testing.T, prefix string) string {
	t.Helper()
	return namespace(t, prefix, names.DefaultMesh)
}
