package status

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const inForce, resolved = "True Accepted", "True ResolvedRefs"

// split returns a TrafficSplit that sends requests of Service web to Service web-v1, limited to groups.
func split(name string, created int64, groups ...string) *unstructured.Unstructured {
	var matches []any
	for _, group := range groups {
		matches = append(matches, map[string]any{"kind": "HTTPRouteGroup", "name": group})
	}
	return object(kinds.TrafficSplit, name, created, map[string]any{
		"service": "web", "backends": []any{map[string]any{"service": "web-v1", "weight": int64(100)}}, "matches": matches,
	})
}

func TestEvaluateSplit(t *testing.T) {
	group := object(kinds.HTTPRouteGroup, "paths", 1, map[string]any{})
	other := split("other", 1)
	other.Object["spec"].(map[string]any)["service"] = "web-v1"
	portless := servicesNamed("web", "web-v1")
	portless[1].(*corev1.Service).Spec.Ports[0].Port = 81
	withServices := func(others ...client.Object) []client.Object {
		return append(servicesNamed("web", "web-v1"), others...)
	}
	accepted := map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}
	for _, test := range []evaluateCase{
		{"the oldest of a root", EvaluateSplit, split("old", 1), withServices(split("new", 2)), accepted, "in force"},
		{
			"a younger one of the same root", EvaluateSplit, split("new", 2), withServices(split("old", 1)),
			map[string]string{kinds.ConditionAccepted: "False Conflicted", kinds.ConditionResolvedRefs: resolved},
			"TrafficSplit shop/old is older",
		},
		{
			"one of the same age", EvaluateSplit, split("b", 1), withServices(split("a", 1)),
			map[string]string{kinds.ConditionAccepted: "False Conflicted", kinds.ConditionResolvedRefs: resolved},
			"TrafficSplit shop/a",
		},
		{"one with matches and an older one", EvaluateSplit, split("new", 2, "paths"), withServices(split("old", 1), group), accepted, "in force"},
		{"one and an older one with matches", EvaluateSplit, split("new", 2), withServices(split("old", 1, "paths"), group), accepted, "in force"},
		{
			"a group that is missing", EvaluateSplit, split("s", 1, "none"), withServices(),
			map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"},
			"HTTPRouteGroup shop/none does not exist, so it selects no requests",
		},
		{
			"a backend that is split itself", EvaluateSplit, split("s", 1), withServices(other),
			map[string]string{kinds.ConditionAccepted: "True NotFollowed", kinds.ConditionResolvedRefs: resolved},
			"the splits of backends are not followed",
		},
		{
			"a backend that does not exist yet", EvaluateSplit, split("s", 1), servicesNamed("web"),
			map[string]string{kinds.ConditionAccepted: "False NoUsableBackend", kinds.ConditionResolvedRefs: "False RefNotFound"},
			"Service shop/web-v1 does not exist, so it gets no requests",
		},
		{
			"a root that does not exist", EvaluateSplit, split("s", 1), servicesNamed("web-v1"),
			map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"},
			"Service shop/web does not exist, so no requests are split",
		},
		{
			"a backend without the root's port", EvaluateSplit, split("s", 1), portless,
			map[string]string{kinds.ConditionAccepted: "False NoUsableBackend", kinds.ConditionResolvedRefs: "False RefNotFound"},
			"Service shop/web-v1 has none of the ports of Service shop/web",
		},
	} {
		t.Run(test.name, func(t *testing.T) { test.check(t) })
	}
}

// A split whose requests have no destination is not accepted. A missing backend next to a usable one only loses its share.
func TestSplitWithoutUsableBackend(t *testing.T) {
	weighted := func(backends ...any) *unstructured.Unstructured {
		u := split("s", 1)
		u.Object["spec"].(map[string]any)["backends"] = backends
		return u
	}
	to := func(service string, weight int64) any { return map[string]any{"service": service, "weight": weight} }
	notFound := map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"}
	unusable := map[string]string{kinds.ConditionAccepted: "False NoUsableBackend", kinds.ConditionResolvedRefs: "False RefNotFound"}
	const stops = "No backend can receive requests, so all requests to Service shop/web that this split selects fail"
	for _, test := range []evaluateCase{
		{"the only backend is missing", EvaluateSplit, weighted(to("none", 1)), servicesNamed("web"), unusable, stops},
		{"all backends are missing", EvaluateSplit, weighted(to("none", 1), to("nil", 1)), servicesNamed("web"), unusable, stops},
		{"the backend that exists has weight 0", EvaluateSplit, weighted(to("none", 1), to("web-v1", 0)), servicesNamed("web", "web-v1"), unusable, stops},
		{"another backend takes the share", EvaluateSplit, weighted(to("none", 1), to("web-v1", 1)), servicesNamed("web", "web-v1"), notFound, "so the other backends take its share"},
		{"the root is missing, too", EvaluateSplit, weighted(to("none", 1)), nil, notFound, "so no requests are split"},
	} {
		t.Run(test.name, func(t *testing.T) { test.check(t) })
	}
}

// retry returns a Retry from service account shop/client to Services of the namespace shop.
func retry(namespace, name string, created int64, services ...string) *unstructured.Unstructured {
	var destinations []any
	for _, service := range services {
		destinations = append(destinations, map[string]any{"kind": "Service", "namespace": "shop", "name": service})
	}
	u := object(kinds.Retry, name, created, map[string]any{
		"source": map[string]any{"kind": "ServiceAccount", "namespace": "shop", "name": "client"}, "destinations": destinations,
		"retryPolicy": map[string]any{"retryOn": "5xx"},
	})
	u.SetNamespace(namespace)
	return u
}

func TestEvaluateRetry(t *testing.T) {
	on := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-mesh-config"}}
	on.Spec.FeatureFlags.EnableRetryPolicy = true
	off := on.DeepCopy()
	off.Spec.FeatureFlags.EnableRetryPolicy = false
	stranger := retry("shop", "a", 1, "web")
	if err := unstructured.SetNestedField(stranger.Object, "stranger", "spec", "source", "name"); err != nil {
		t.Fatal(err)
	}
	evaluate := EvaluateRetry("osm-system")
	for _, test := range []evaluateCase{
		{"alone", evaluate, retry("shop", "r", 1, "web"), []client.Object{on}, map[string]string{kinds.ConditionAccepted: inForce}, "in force"},
		{
			"switched off", evaluate, retry("shop", "r", 1, "web"),
			[]client.Object{off},
			map[string]string{kinds.ConditionAccepted: "False Disabled"},
			"while spec.featureFlags.enableRetryPolicy of MeshConfig osm-system/osm-mesh-config is true",
		},
		{"without a MeshConfig", evaluate, retry("shop", "r", 1, "web"), nil, map[string]string{kinds.ConditionAccepted: "False Disabled"}, "set it to true"},
		{"another client", evaluate, retry("shop", "r", 2, "web"), []client.Object{on, stranger}, map[string]string{kinds.ConditionAccepted: inForce}, "in force"},
		{"another Service", evaluate, retry("shop", "r", 2, "web"), []client.Object{on, retry("shop", "a", 1, "api")}, map[string]string{kinds.ConditionAccepted: inForce}, "in force"},
		{
			"an older one", evaluate, retry("shop", "r", 2, "web", "api"),
			[]client.Object{on, retry("shop", "z", 1, "api")},
			map[string]string{kinds.ConditionAccepted: "False Conflicted"},
			"Retry shop/z is older and already configures retries from service account shop/client to Service shop/api",
		},
		{"a younger one", evaluate, retry("shop", "r", 1, "web"), []client.Object{on, retry("shop", "a", 2, "web")}, map[string]string{kinds.ConditionAccepted: inForce}, "in force"},
	} {
		t.Run(test.name, func(t *testing.T) { test.check(t) })
	}
}

// setting returns an UpstreamTrafficSetting for a host with limits for paths.
func setting(name string, created int64, host string, paths ...string) *unstructured.Unstructured {
	var routes []any
	for _, path := range paths {
		routes = append(routes, map[string]any{"path": path, "rateLimit": map[string]any{"local": map[string]any{"requests": int64(1), "unit": "second"}}})
	}
	return object(kinds.UpstreamTrafficSetting, name, created, map[string]any{"host": host, "httpRoutes": routes})
}

func backpressure(name string, created int64) *unstructured.Unstructured {
	u := object(kinds.Backpressure, name, created, map[string]any{})
	u.SetLabels(map[string]string{"app": "web"})
	return u
}

func TestEvaluateSetting(t *testing.T) {
	const host = "web.shop.svc.cluster.local"
	group := object(kinds.HTTPRouteGroup, "paths", 1, map[string]any{"matches": []any{map[string]any{"name": "all", "pathRegex": "/buy.*"}}})
	withServices := func(others ...client.Object) []client.Object { return append(servicesNamed("web"), others...) }
	accepted := map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}
	for _, test := range []evaluateCase{
		{"alone", EvaluateSetting, setting("s", 1, host), withServices(), accepted, "in force"},
		{
			"a younger one of the same Service", EvaluateSetting, setting("new", 2, host), withServices(setting("old", 1, "web.shop")),
			map[string]string{kinds.ConditionAccepted: "False Conflicted", kinds.ConditionResolvedRefs: resolved},
			"UpstreamTrafficSetting shop/old is older and already configures Service shop/web",
		},
		{"an older one", EvaluateSetting, setting("old", 1, host), withServices(setting("new", 2, host), backpressure("b", 0)), accepted, "in force"},
		{"a host outside", EvaluateSetting, setting("s", 1, "example.com"), nil, map[string]string{kinds.ConditionAccepted: "False NotUsed"}, "applies only where an Egress names it"},
		{
			"a Service that does not exist", EvaluateSetting, setting("s", 1, host), nil,
			map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"},
			"Service shop/web does not exist, so nothing is limited",
		},
		{"a path of a group", EvaluateSetting, setting("s", 1, host, "/buy.*", ".*"), withServices(group), accepted, "in force"},
		{
			"a path of no group", EvaluateSetting, setting("s", 1, host, "/buy"), withServices(group),
			map[string]string{kinds.ConditionAccepted: "False RefNotFound", kinds.ConditionResolvedRefs: resolved},
			`has exactly the pathRegex "/buy"`,
		},
		{"backpressure alone", EvaluateBackpressure, backpressure("b", 1), withServices(), accepted, "in force"},
		{
			"backpressure and a setting", EvaluateBackpressure, backpressure("b", 1), withServices(setting("s", 2, host)),
			map[string]string{kinds.ConditionAccepted: "False Conflicted", kinds.ConditionResolvedRefs: resolved},
			"UpstreamTrafficSetting shop/s configures Service shop/web and has precedence",
		},
		{
			"younger backpressure", EvaluateBackpressure, backpressure("b", 2), withServices(backpressure("a", 1)),
			map[string]string{kinds.ConditionAccepted: "False Conflicted", kinds.ConditionResolvedRefs: resolved},
			"Backpressure shop/a is older",
		},
	} {
		t.Run(test.name, func(t *testing.T) { test.check(t) })
	}
}

// The author of a policy whose kind the MeshConfig disables gets a warning.
func TestDisabledKindIsAWarning(t *testing.T) {
	config := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: names.MeshConfig}}
	reader := fake.NewClientBuilder().WithScheme(builtin(t)).WithObjects(config).Build()
	retry := object(kinds.Retry, "r", 1, map[string]any{})
	problems := CheckRelated(reader, "osm-system")(t.Context(), retry)
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "spec.featureFlags.enableRetryPolicy of MeshConfig osm-system/osm-mesh-config is true") {
		t.Errorf("the warnings are %v", problems)
	}
	config.Spec.FeatureFlags.EnableRetryPolicy = true
	reader = fake.NewClientBuilder().WithScheme(builtin(t)).WithObjects(config).Build()
	if problems := CheckRelated(reader, "osm-system")(t.Context(), retry); len(problems) > 0 {
		t.Errorf("an enabled kind has the warnings %v", problems)
	}
}

// The author of a policy gets a warning about an older policy for the same resource.
func TestCheckRelated(t *testing.T) {
	reader := fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(
		split("old", 1), retry("shop", "old", 1, "web"), setting("old", 1, "web.shop"),
	).Build()
	for _, test := range []struct {
		object   *unstructured.Unstructured
		messages []string
	}{
		{split("new", 2), []string{"TrafficSplit shop/old is older"}},
		{split("new", 2, "paths"), nil},
		{retry("shop", "new", 2, "web", "api"), []string{"Retry shop/old is older"}},
		{setting("new", 2, "web.shop.svc.cluster.local"), []string{"UpstreamTrafficSetting shop/old is older"}},
		{setting("new", 2, "api.shop.svc.cluster.local"), nil},
		{backpressure("new", 2), []string{"UpstreamTrafficSetting shop/old configures Service shop/web and has precedence"}},
		{target(rule("TCPRoute", "none")), nil},
	} {
		problems := CheckRelated(reader, "osm-system")(t.Context(), test.object)
		if len(problems) != len(test.messages) {
			t.Errorf("%s %s: %+v, want %q", test.object.GetKind(), test.object.GetName(), problems, test.messages)
			continue
		}
		for i, problem := range problems {
			if !strings.Contains(problem.Message, test.messages[i]) {
				t.Errorf("%s %s: %q, want %q", test.object.GetKind(), test.object.GetName(), problem.Message, test.messages[i])
			}
		}
	}
}
