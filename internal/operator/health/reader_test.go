package health

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	kube "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/platform/report/client"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// controlled returns the metadata of an object in the namespace of the mesh, whose UID is its name, and its controller.
func controlled(name, version, kind, owner string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "osm-system", Name: name, UID: types.UID(name), OwnerReferences: []metav1.OwnerReference{
		{APIVersion: version, Kind: kind, Name: owner, UID: types.UID(owner), Controller: ptr.To(true)},
	}}
}

// clusterWith has the mesh "osm" with a Deployment and a ReplicaSet ("<name>-set") for each name, and pods.
func clusterWith(t *testing.T, deployments []string, pods ...corev1.Pod) kube.Reader {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	objects := []kube.Object{&v1alpha1.MeshRevision{
		ObjectMeta: metav1.ObjectMeta{Name: "osm-v0-4-0"}, Spec: v1alpha1.MeshRevisionSpec{Mesh: "osm", Namespace: "osm-system"},
	}}
	for _, name := range deployments {
		objects = append(objects,
			&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: name, UID: types.UID(name), Labels: map[string]string{names.MeshLabel: "osm"}}},
			&appsv1.ReplicaSet{ObjectMeta: controlled(name+"-set", "apps/v1", "Deployment", name)})
	}
	for i := range pods {
		objects = append(objects, &pods[i])
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

// runningPod is a pod with the labels of a control plane of version v0.3.0, whose controller is the ReplicaSet of its Deployment.
func runningPod(name, app string) corev1.Pod {
	pod := corev1.Pod{ObjectMeta: controlled(name, "apps/v1", "ReplicaSet", app+"-set")}
	pod.Labels = map[string]string{names.AppLabel: app, names.VersionLabel: "v0.3.0"}
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}}}
	return pod
}

// receivedTokens are the tokens that pods received, sorted.
type receivedTokens struct {
	mu   sync.Mutex
	list []string
}

// serve serves an empty report for any token, with a certificate for the report of the trust domain "mesh.test".
func (r *receivedTokens) serve(t *testing.T, authority *pki.Authority) (address string) {
	t.Helper()
	chain, key := authority.Issue(t, identity.ServiceAccount{Namespace: "mesh", Name: "report"}, "test")
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.list = append(r.list, request.Header.Get("Authorization"))
		_ = json.NewEncoder(w).Encode(report.Proxies{Proxies: []report.Proxy{{Namespace: "shop", Pod: "web"}}})
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// audiences returns tokens that name their audience.
type audiences struct{}

func (audiences) ForAudience(_ context.Context, audience string) (string, error) {
	return "for " + audience, nil
}
func (audiences) Discard(string, string) {}

// Who may create pods in the namespace of a mesh also has the key of its authority, so every certificate of a pod there is valid.
func TestForgedReplicasReceiveNoToken(t *testing.T) {
	authority := pki.New(t)
	genuine := runningPod("real", names.Controller)
	forged := func(edit func(*corev1.Pod)) corev1.Pod {
		pod := runningPod("forged", names.Controller)
		edit(&pod)
		return pod
	}
	for name, c := range map[string]struct {
		pod  corev1.Pod
		want []string
	}{
		"labels only":                        {forged(func(p *corev1.Pod) { p.OwnerReferences = nil }), []string{"Bearer for report.osm"}},
		"the audience of another server":     {forged(func(p *corev1.Pod) { p.OwnerReferences, p.Annotations = nil, audienceOf("vault") }), []string{"Bearer for report.osm"}},
		"another UID":                        {forged(func(p *corev1.Pod) { p.OwnerReferences[0].UID = "guessed" }), []string{"Bearer for report.osm"}},
		"owners copied, without an audience": {forged(func(*corev1.Pod) {}), []string{"Bearer for report.osm", "Bearer for report.osm"}},
		"owners copied, with another audience": {
			forged(func(p *corev1.Pod) { p.Annotations = audienceOf("vault") }), []string{"Bearer for report.osm", "Bearer for report.osm"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var received receivedTokens
			addresses := map[string]string{"real": received.serve(t, authority), "forged": received.serve(t, authority)}
			cluster := clusterWith(t, []string{names.Controller}, genuine, c.pod)
			reader := &Reader{Pods: cluster, Owners: cluster, Tokens: audiences{}, dial: func(ctx context.Context, replica client.Replica) (net.Conn, error) {
				var dialer net.Dialer
				return dialer.DialContext(ctx, "tcp", addresses[replica.Name])
			}}
			target := Target{Mesh: "osm", Namespace: "osm-system", Version: "v0.3.0", TrustDomain: "mesh.test", Roots: authority.RootPEM}
			replicas, err := reader.Replicas(t.Context(), target)
			if err != nil || len(replicas) != len(c.want) {
				t.Errorf("replicas %v (%v), want %d", replicas, err, len(c.want))
			}
			slices.Sort(received.list)
			if diff := cmp.Diff(c.want, received.list); diff != "" {
				t.Errorf("received tokens (-want +got):\n%s", diff)
			}
		})
	}
}

// audienceOf are the annotations of a pod that requests tokens with an audience.
func audienceOf(audience string) map[string]string {
	return map[string]string{names.ReportAudienceAnnotation: audience}
}

// A canary that is promoted has pods with and without suffix.
func TestPodsOfSuffixes(t *testing.T) {
	deployments := []string{"osm-controller", "osm-injector", "osm-controller-v0-4-0", "osm-injector-v0-4-0", "osm-controller-v0-2-9"}
	cluster := clusterWith(t, deployments,
		runningPod("active", "osm-controller"), runningPod("active-injector", "osm-injector"),
		runningPod("canary", "osm-controller-v0-4-0"), runningPod("canary-injector", "osm-injector-v0-4-0"), runningPod("earlier", "osm-controller-v0-2-9"))
	for name, c := range map[string]struct {
		suffixes []string
		want     []string
	}{
		"active":   {nil, []string{"active"}},
		"canary":   {[]string{"v0-4-0"}, []string{"canary"}},
		"promoted": {[]string{"", "v0-4-0"}, []string{"active", "canary"}},
	} {
		t.Run(name, func(t *testing.T) {
			target := Target{Mesh: "osm", Namespace: "osm-system", Version: "v0.3.0", Suffixes: c.suffixes}
			reader := &Reader{Pods: cluster, Owners: cluster}
			pods, err := reader.pods(t.Context(), target)
			if err != nil || len(pods) != 2*len(c.want) {
				t.Fatalf("%d pods (%v), want a controller and an injector for each of %v", len(pods), err, c.want)
			}
			var got []string
			for _, replica := range replicasOf(pods, target.apps(names.Controller)) {
				got = append(got, replica.Name)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("replicas (-want +got):\n%s", diff)
			}
		})
	}
}

// While a version changes, controllers of the earlier version run and serve. They count as replicas of the authority, and are named for gates.
func TestControllersOfTheEarlierVersion(t *testing.T) {
	earlier := func(name, app string, ready corev1.ConditionStatus) corev1.Pod {
		pod := runningPod(name, app)
		pod.Labels[names.VersionLabel] = "v0.4.0"
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
		return pod
	}
	pending := runningPod("new", names.Controller)
	pending.Status = corev1.PodStatus{Phase: corev1.PodPending}
	cluster := clusterWith(t, []string{names.Controller, names.Injector}, pending,
		earlier("one", names.Controller, corev1.ConditionTrue), earlier("two", names.Controller, corev1.ConditionTrue),
		earlier("three", names.Controller, corev1.ConditionFalse), earlier("injector", names.Injector, corev1.ConditionTrue))
	reader := &Reader{Pods: cluster, Owners: cluster, Tokens: audiences{}, dial: func(context.Context, client.Replica) (net.Conn, error) { return nil, net.ErrClosed }}
	target := Target{Mesh: "osm", Namespace: "osm-system", Version: "v0.3.0", TrustDomain: "mesh.test", Roots: pki.New(t).RootPEM}
	reading, err := reader.Read(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"v0.4.0": 2}, reading.Earlier); diff != "" || reading.Proxies != nil {
		t.Errorf("earlier controllers (-want +got):\n%s; the sidecars of the revision are %v", diff, reading.Proxies)
	}
	replicas, err := reader.Replicas(t.Context(), target)
	if err != nil || len(replicas) != 3 {
		t.Errorf("the replicas are %v (%v), want those of the earlier version", replicas, err)
	}
}
