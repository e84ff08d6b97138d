package status

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// resolvable has an address for every host.
func resolvable(context.Context, string) ([]string, error) { return []string{"192.0.2.1"}, nil }

func failure(cluster, policy, account string, sidecars int, since time.Time) report.ServerFailure {
	return report.ServerFailure{Cluster: cluster, Policy: policy, ServiceAccount: account, Sidecars: sidecars, Since: since}
}

func settingWithLimits(requests, connections map[string]any) *unstructured.Unstructured {
	u := setting("s", 1, "web.shop.svc.cluster.local")
	limits := map[string]any{}
	if requests != nil {
		limits["http"] = requests
	}
	if connections != nil {
		limits["tcp"] = connections
	}
	u.Object["spec"].(map[string]any)["rateLimit"] = map[string]any{"global": limits}
	return u
}

func globalLimit(host string, failOpen bool) map[string]any {
	entry := map[string]any{"entries": []any{map[string]any{"key": "k", "value": "x", "genericKey": map[string]any{"value": "x"}}}}
	return map[string]any{
		"domain": "d", "failOpen": failOpen, "timeout": "20ms", "rateLimitService": map[string]any{"host": host, "port": int64(8081)}, "descriptors": []any{entry},
	}
}

func TestServersOfPolicies(t *testing.T) {
	mesh := meshOf(t, meshConfigObject(), extension("shop", "opa", "opa.example.com", "h2c"), extension("osm-system", "opa", "opa.example.com", "h2c"))
	meshWide := authorization("a", 1, "osm-system", "opa", map[string]any{"failureModeAllow": true})
	meshWide.SetNamespace("osm-system")
	const mine, ofMesh, limit = "external-authorization|namespace", "external-authorization|mesh", "ratelimit|limits.example.com:8081"
	noAddress := func(context.Context, string) ([]string, error) { return nil, &net.DNSError{IsNotFound: true} }
	noAnswer := func(context.Context, string) ([]string, error) { return nil, errors.New("timeout") }
	for _, test := range []struct {
		name     string
		object   *unstructured.Unstructured
		failures []report.ServerFailure
		lookup   HostLookup
		want     string
		message  string
	}{
		{"no failure", authorization("a", 1, "shop", "opa", nil), nil, resolvable, "True ServiceAnswers", "no sidecar reports"},
		{"other policies fail", authorization("a", 1, "shop", "opa", nil), []report.ServerFailure{
			failure(mine, "shop/b", "shop/web", 1, noon), failure(ofMesh, "shop/a", "shop/web", 1, noon), failure("external-authorization", "", "shop/web", 1, noon),
		}, resolvable, "True ServiceAnswers", "no sidecar reports"},
		{"its server fails", authorization("a", 1, "shop", "opa", nil), []report.ServerFailure{
			failure(mine, "shop/a", "shop/web", 2, noon.Add(time.Minute)), failure(mine, "shop/a", "shop/api", 1, noon),
		}, resolvable, "False ServiceNotAnswering", "3 sidecars (service accounts shop/api, shop/web) get no answer from the authorization server opa.example.com:4317 since 2026-01-02T12:00:00Z, so their requests get status 503."},
		{"one of the mesh", meshWide, []report.ServerFailure{
			failure(ofMesh, "osm-system/a", "a/a", 1, noon), failure(ofMesh, "osm-system/a", "b/b", 1, noon), failure(ofMesh, "osm-system/a", "c/c", 1, noon), failure(ofMesh, "osm-system/a", "d/d", 1, noon),
		}, resolvable, "False ServiceNotAnswering", "4 sidecars (service accounts a/a, b/b, c/c and 1 more) get no answer"},
		{"failures allow", meshWide, []report.ServerFailure{failure(ofMesh, "osm-system/a", "a/a", 1, noon)}, resolvable, "False ServiceNotAnswering", "all their requests are allowed"},
		{"a host without an address", authorization("a", 1, "shop", "opa", nil), nil, noAddress, "False HostNotResolved", "The host opa.example.com of the authorization server has no address"},
		{"a host that cannot be looked up", authorization("a", 1, "shop", "opa", nil), nil, noAnswer, "True ServiceAnswers", ""},
		{"no server", authorization("a", 1, "shop", "none", nil), nil, resolvable, "", ""},
		{"no limit", setting("s", 1, "web.shop.svc.cluster.local"), nil, resolvable, "", ""},
		{"a closed limit of requests", settingWithLimits(globalLimit("limits.example.com", false), nil), []report.ServerFailure{failure(limit, "", "shop/web", 1, noon)}, resolvable, "False ServiceNotAnswering", "get no answer from the rate limit service limits.example.com:8081 since 2026-01-02T12:00:00Z, so requests to them get status 503"},
		{"an open limit of connections", settingWithLimits(nil, globalLimit("limits.example.com", true)), []report.ServerFailure{failure(limit, "", "shop/web", 1, noon)}, resolvable, "False ServiceNotAnswering", "their connections are not limited"},
		{"a failure in another namespace", settingWithLimits(globalLimit("limits.example.com", false), nil), []report.ServerFailure{failure(limit, "", "shopping/web", 1, noon)}, resolvable, "True ServiceAnswers", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			servers := evaluatorOf(mesh).evaluate(t.Context(), test.object).servers
			if test.want == "" {
				if len(servers) > 0 {
					t.Errorf("servers %+v, want none", servers)
				}
				return
			}
			failures := &serverFailures{first: noon, updated: noon, failures: map[failureKey]report.ServerFailure{}}
			for _, one := range test.failures {
				addFailure(failures.failures, one)
			}
			c := answersCondition(t.Context(), servers, failures, test.lookup, nil)
			if got := string(c.Status) + " " + c.Reason; got != test.want || !strings.Contains(c.Message, test.message) {
				t.Errorf("%s: %s\nwant %s with %q", got, c.Message, test.want, test.message)
			}
		})
	}
}

// TestServerFailuresAreCoalesced polls replicas more often than failures may change policies.
func TestServerFailuresAreCoalesced(t *testing.T) {
	now := noon
	r := NewRejections(func() report.Rejections { return report.Rejections{} }, nil, func() time.Time { return now })
	poll := func(own []report.ServerFailure, others ...report.ServerFailure) []string {
		answers := []reportclient.Answer[report.Rejections]{{Replica: "two", Value: report.Rejections{Failures: others}}}
		_, changed := r.update(report.Rejections{Failures: own}, answers, true)
		var targets []string
		for _, one := range changed {
			kind, namespace := concernedPolicies(one)
			targets = append(targets, kind+" "+namespace)
		}
		slices.Sort(targets)
		return targets
	}
	const mine, limit = "external-authorization|namespace", "ratelimit|10.0.0.9:8081"
	one := failure(mine, "shop/a", "shop/web", 1, noon)
	for _, step := range []struct {
		name        string
		after       time.Duration
		own, others []report.ServerFailure
		want        []string
		sidecars    int
	}{
		{"the first failure", 0, []report.ServerFailure{one}, nil, []string{"ExternalAuthorization shop"}, 1},
		{"more failures at once", 5 * time.Second, []report.ServerFailure{one}, []report.ServerFailure{one}, nil, 1},
		{"after the interval", failureInterval, []report.ServerFailure{one}, []report.ServerFailure{one}, []string{"ExternalAuthorization shop"}, 2},
		{"unchanged", failureInterval, []report.ServerFailure{one}, []report.ServerFailure{one}, nil, 2},
		{"other kinds", failureInterval, []report.ServerFailure{one, one, failure(limit, "", "bank/web", 1, noon), failure("external-authorization", "", "bank/web", 1, noon)}, nil, []string{"MeshConfig ", "UpstreamTrafficSetting bank"}, 4},
		{"all answer", failureInterval, nil, nil, []string{"ExternalAuthorization shop", "MeshConfig ", "UpstreamTrafficSetting bank"}, 0},
	} {
		now = now.Add(step.after)
		if got := poll(step.own, step.others...); !slices.Equal(got, step.want) {
			t.Errorf("%s: changes for %q, want %q", step.name, got, step.want)
		}
		list, _ := r.servers.current()
		sidecars := 0
		for _, f := range list {
			sidecars += f.Sidecars
		}
		if sidecars != step.sidecars {
			t.Errorf("%s: %d sidecars, want %d", step.name, sidecars, step.sidecars)
		}
	}
}

// TestReconcile_ServiceAnswers writes a failure once, keeps it after the loss of the reports until all sidecars had time to report again, and
// removes the condition with its server.
func TestReconcile_ServiceAnswers(t *testing.T) {
	writes, now := 0, noon
	stored := authorization("a", 1, "shop", "opa", nil)
	server := extension("shop", "opa", "opa.example.com", "h2c")
	writer := fake.NewClientBuilder().WithScheme(builtin(t)).WithObjects(stored, server).WithStatusSubresource(stored).
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourcePatch: func(ctx context.Context, c client.Client, name string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
				writes++
				return c.SubResource(name).Patch(ctx, o, p, opts...)
			},
		}).Build()
	newRejections := func() *Rejections {
		return NewRejections(func() report.Rejections { return report.Rejections{} }, nil, func() time.Time { return now })
	}
	mesh := meshOf(t, stored, server)
	r := &Reconciler{
		Client: writer, Recorder: events.NewFakeRecorder(20), Leader: &Leader{}, Kind: kinds.Object(kinds.ExternalAuthorization), LookupHost: resolvable, Rejections: newRejections(), InMesh: always,
		Evaluate: evaluatorOf(mesh).evaluate,
	}
	r.Leader.leading.Store(true)
	step := func(name, want string, wantWrites int) {
		t.Helper()
		request := ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "a"}}
		if _, err := r.Reconcile(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		object := kinds.Object(kinds.ExternalAuthorization)
		if err := writer.Get(t.Context(), request.NamespacedName, object); err != nil {
			t.Fatal(err)
		}
		conditions, err := kinds.ConditionsOf(object)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if c := meta.FindStatusCondition(conditions, kinds.ConditionServiceAnswers); c != nil {
			got = string(c.Status)
		}
		ready := meta.FindStatusCondition(conditions, kinds.ConditionReady)
		if got != want || want == "False" && (ready.Status != metav1.ConditionFalse || ready.Reason != kinds.ReasonServiceNotAnswering) || writes != wantWrites {
			t.Errorf("%s: ServiceAnswers is %q after %d writes, want %q after %d; Ready %+v", name, got, writes, want, wantWrites, ready)
		}
	}
	report := func(list ...report.ServerFailure) {
		now = now.Add(failureInterval)
		r.Rejections.update(failuresOf(list), nil, true)
	}
	report()
	step("no failure", "True", 1)
	step("unchanged", "True", 1)
	broken := failure("external-authorization|namespace", "shop/a", "shop/web", 1, noon)
	report(broken)
	step("a failure", "False", 2)
	step("unchanged", "False", 2)
	r.Rejections = newRejections()
	report()
	step("a new leader", "False", 2)
	report()
	report()
	step("no report by then", "True", 3)
	report(broken)
	step("again", "False", 4)
	mesh.Apply([]catalog.Change{{Ref: entity.Ref{Kind: entity.KindExtensionService, Name: entity.Name{Namespace: server.GetNamespace(), Name: server.GetName()}}}})
	mesh.Update(t.Context())
	step("no server", "", 5)
}

func failuresOf(list []report.ServerFailure) report.Rejections {
	return report.Rejections{Failures: list}
}

// TestMeshConfig_ServiceAnswers writes the condition while a server of the MeshConfig does not answer.
func TestMeshConfig_ServiceAnswers(t *testing.T) {
	config := &configv1alpha2.MeshConfig{}
	config.Namespace, config.Name, config.Generation = "osm-system", names.MeshConfig, 4
	config.Spec.Traffic.InboundExternalAuthorization = configv1alpha2.ExternalAuthorizationSpec{Enable: true, Address: "opa.example.com", Port: 9191}
	writer := fake.NewClientBuilder().WithScheme(builtin(t)).WithObjects(config).WithStatusSubresource(config).Build()
	now := noon
	r := &MeshConfigReconciler{
		Client: writer, Leader: &Leader{}, Namespace: "osm-system", LookupHost: resolvable,
		Rejections: NewRejections(func() report.Rejections { return report.Rejections{} }, nil, func() time.Time { return now }),
	}
	key := client.ObjectKeyFromObject(config)
	step := func(name string, want ...string) {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
			t.Fatal(err)
		}
		current := &configv1alpha2.MeshConfig{}
		if err := writer.Get(t.Context(), key, current); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range current.Status.Conditions {
			got = append(got, c.Type+" "+string(c.Status))
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: conditions %q, want %q", name, got, want)
		}
	}
	step("another replica leads")
	r.Leader.leading.Store(true)
	step("reports are not known")
	r.Rejections.update(report.Rejections{}, nil, true)
	step("no failure")
	now = now.Add(failureInterval)
	r.Rejections.update(failuresOf([]report.ServerFailure{failure("external-authorization", "", "shop/web", 1, noon)}), nil, true)
	step("a failure", "ServiceAnswers False")
	current := &configv1alpha2.MeshConfig{}
	if err := writer.Get(t.Context(), key, current); err != nil {
		t.Fatal(err)
	}
	current.Spec.Traffic.InboundExternalAuthorization.Enable = false
	if err := writer.Update(t.Context(), current); err != nil {
		t.Fatal(err)
	}
	step("without a server")
	if err := writer.Get(t.Context(), key, current); err != nil {
		t.Fatal(err)
	}
	current.Spec.Observability.Tracing = configv1alpha2.TracingSpec{Enable: true, Address: "collector.example.com", Port: 9411, Endpoint: "/api/v2/spans"}
	if err := writer.Update(t.Context(), current); err != nil {
		t.Fatal(err)
	}
	step("a tracing server")
	r.LookupHost = func(context.Context, string) ([]string, error) { return nil, &net.DNSError{IsNotFound: true} }
	step("a tracing server without an address", "ServiceAnswers False")
	r.LookupHost = resolvable
	step("a tracing server with an address again")
}
