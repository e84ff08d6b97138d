package status

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
		{"the oldest of a root", split("old", 1), withServices(split("new", 2)), accepted, "in force"},
		{
			"a younger one of the same root", split("new", 2), withServices(split("old", 1)),
			map[string]string{kinds.ConditionAccepted: "False Conflicted", kinds.ConditionResolvedRefs: resolved},
			"TrafficSplit shop/old is older",
		},
		{
			"one of the same age", split("b", 1), withServices(split("a", 1)),
			map[string]string{kinds.ConditionAccepted: "False Conflicted", kinds.ConditionResolvedRefs: resolved},
			"TrafficSplit shop/a",
		},
		{"one with matches and an older one", split("new", 2, "paths"), withServices(split("old", 1), group), accepted, "in force"},
		{"one and an older one with matches", split("new", 2), withServices(split("old", 1, "paths"), group), accepted, "in force"},
		{
			"a group that is missing", split("s", 1, "none"), withServices(),
			map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"},
			"HTTPRouteGroup shop/none does not exist, so it selects no requests",
		},
		{
			"a backend that is split itself", split("s", 1), withServices(other),
			map[string]string{kinds.ConditionAccepted: "True NotFollowed", kinds.ConditionResolvedRefs: resolved},
			"the splits of backends are not followed",
		},
		{
			"a backend that does not exist yet", split("s", 1), servicesNamed("web"),
			map[string]string{kinds.ConditionAccepted: "False NoUsableBackend", kinds.ConditionResolvedRefs: "False RefNotFound"},
			"Service shop/web-v1 does not exist, so it gets no requests",
		},
		{
			"a root that does not exist", split("s", 1), servicesNamed("web-v1"),
			map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"},
			"Service shop/web does not exist, so no requests are split",
		},
		{
			"a backend without the root's port", split("s", 1), portless,
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
		{"the only backend is missing", weighted(to("none", 1)), servicesNamed("web"), unusable, stops},
		{"all backends are missing", weighted(to("none", 1), to("nil", 1)), servicesNamed("web"), unusable, stops},
		{"the backend that exists has weight 0", weighted(to("none", 1), to("web-v1", 0)), servicesNamed("web", "web-v1"), unusable, stops},
		{"another backend takes the share", weighted(to("none", 1), to("web-v1", 1)), servicesNamed("web", "web-v1"), notFound, "so the other backends take its share"},
		{"the root is missing, too", weighted(to("none", 1)), nil, notFound, "so no requests are split"},
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
	services := slices.Clip(servicesNamed("web", "api"))
	for _, test := range []evaluateCase{
		{"alone", retry("shop", "r", 1, "web"), append(services, on), map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}, "in force"},
		{
			"switched off", retry("shop", "r", 1, "web"),
			append(services, off),
			map[string]string{kinds.ConditionAccepted: "False Disabled", kinds.ConditionResolvedRefs: resolved},
			"while spec.featureFlags.enableRetryPolicy of MeshConfig osm-system/osm-mesh-config is true",
		},
		{"without a MeshConfig", retry("shop", "r", 1, "web"), services, map[string]string{kinds.ConditionAccepted: "False Disabled", kinds.ConditionResolvedRefs: resolved}, "set it to true"},
		{"another client", retry("shop", "r", 2, "web"), append(services, on, stranger), map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}, "in force"},
		{"another Service", retry("shop", "r", 2, "web"), append(services, on, retry("shop", "a", 1, "api")), map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}, "in force"},
		{
			"an older one", retry("shop", "r", 2, "web", "api"),
			append(services, on, retry("shop", "z", 1, "api")),
			map[string]string{kinds.ConditionAccepted: "False Conflicted", kinds.ConditionResolvedRefs: resolved},
			"Retry shop/z is older and already configures retries from service account shop/client to Service shop/api",
		},
		{
			"a Service and a client that do not exist", stranger,
			[]client.Object{on},
			map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"},
			"ServiceAccount shop/stranger of spec.source does not exist, so no requests are repeated: create it, or correct the name. Service shop/web of spec.destinations does not exist",
		},
		{"a younger one", retry("shop", "r", 1, "web"), append(services, on, retry("shop", "a", 2, "web")), map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}, "in force"},
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
		{"alone", setting("s", 1, host), withServices(), accepted, "in force"},
		{
			"a younger one of the same Service", setting("new", 2, host), withServices(setting("old", 1, "web.shop")),
			map[string]string{kinds.ConditionAccepted: "False Conflicted", kinds.ConditionResolvedRefs: resolved},
			"UpstreamTrafficSetting shop/old is older and already configures Service shop/web",
		},
		{"an older one", setting("old", 1, host), withServices(setting("new", 2, host), backpressure("b", 0)), accepted, "in force"},
		{"a host outside", setting("s", 1, "example.com"), nil, map[string]string{kinds.ConditionAccepted: "False NotUsed"}, "applies only where an Egress names it"},
		{
			"a Service that does not exist", setting("s", 1, host), nil,
			map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"},
			"Service shop/web does not exist, so nothing is limited",
		},
		{"a path of a group", setting("s", 1, host, "/buy.*", ".*"), withServices(group), accepted, "in force"},
		{
			"a path of no group", setting("s", 1, host, "/buy"), withServices(group),
			map[string]string{kinds.ConditionAccepted: "False RefNotFound", kinds.ConditionResolvedRefs: resolved},
			`has exactly the pathRegex "/buy"`,
		},
		{"backpressure alone", backpressure("b", 1), withServices(), accepted, "in force"},
		{
			"backpressure and a setting", backpressure("b", 1), withServices(setting("s", 2, host)),
			map[string]string{kinds.ConditionAccepted: "False Conflicted", kinds.ConditionResolvedRefs: resolved},
			"UpstreamTrafficSetting shop/s configures Service shop/web and has precedence",
		},
		{
			"younger backpressure", backpressure("b", 2), withServices(backpressure("a", 1)),
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
	retry := object(kinds.Retry, "r", 1, map[string]any{})
	problems := CheckRelated(meshOf(t, config), meshNamespace)(t.Context(), retry)
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "spec.featureFlags.enableRetryPolicy of MeshConfig osm-system/osm-mesh-config is true") {
		t.Errorf("the warnings are %v", problems)
	}
	config.Spec.FeatureFlags.EnableRetryPolicy = true
	if problems := CheckRelated(meshOf(t, config), meshNamespace)(t.Context(), retry); len(problems) > 0 {
		t.Errorf("an enabled kind has the warnings %v", problems)
	}
}

// The author of a policy gets a warning about an older policy for the same resource.
func TestCheckRelated(t *testing.T) {
	config := meshConfigObject()
	config.Spec.FeatureFlags.EnableRetryPolicy = true
	paths := object(kinds.HTTPRouteGroup, "paths", 1, map[string]any{"matches": []any{map[string]any{"name": "all"}}})
	mesh := meshOf(t, append(servicesNamed("web", "api", "web-v1"), config, paths, tcpRouteWith(), account("shop", "web"), account("shop", "client"),
		split("old", 1), retry("shop", "old", 1, "web"), setting("old", 1, "web.shop.svc.cluster.local"))...)
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
		{target(rule("TCPRoute", "sql")), nil},
	} {
		problems := CheckRelated(mesh, meshNamespace)(t.Context(), test.object)
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
