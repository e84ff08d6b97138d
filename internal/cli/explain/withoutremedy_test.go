package explain_test

import (
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestCallsWithoutRemedy names what is missing instead of a policy: a ready pod, a sidecar, or a Service that leads to the pod.
func TestCallsWithoutRemedy(t *testing.T) {
	late := Pod("shop", "late-0", "late", "late", "10.0.0.8")
	notReady := Slice(Name("shop", "late"), late)
	notReady.Endpoints[0].Ready = false
	granted := []catalog.Entry{
		late, notReady, Group("shop", "paths", "/a"),
		Target("t", SA("shop", "late"), []catalog.TargetRule{HTTP("paths")}, SA("front", "till")),
	}
	bare := Pod("shop", "bare-0", "bare", "bare", "10.0.0.9")
	bare.Injected = false
	for name, test := range map[string]struct {
		question string
		more     []catalog.Entry
		want     string
	}{
		"no pod is ready": {
			"front/sa/till shop/svc/late GET /a", append(granted, Service("shop", "late", "late", "10.96.0.8", 80, inventory.ProtocolHTTP)),
			"no pod of Service shop/late is ready with a sidecar: see kubectl -n shop get pods, and",
		},
		"there is no pod": {
			"front/sa/till shop/svc/none GET /a",
			[]catalog.Entry{Service("shop", "none", "none", "10.96.0.8", 80, inventory.ProtocolHTTP)},
			"no pod of Service shop/none is ready with a sidecar",
		},
		"the pod has no sidecar": {"front/sa/till shop/pod/bare-0 GET /a", []catalog.Entry{bare}, "sidecar"},
		"no Service selects the pod": {
			"front/sa/till shop/pod/late-0 GET /a", []catalog.Entry{late}, "no Service of the mesh selects pod shop/late-0",
		},
	} {
		answer := evaluate(t, test.question, shop(test.more...)...)
		if len(answer.Remedy) > 0 || answer.Allowed {
			t.Errorf("%s: there is a remedy, or nothing to mend: %+v", name, answer)
		}
		if got := answer.WithoutRemedy(); !strings.Contains(got, test.want) || strings.Contains(got, "no policy would allow") {
			t.Errorf("%s: %s\n%+v", name, got, answer.Candidates)
		}
	}
	if got := authz.MissingPod(Name("shop", "web")); got != "a ready pod with a sidecar behind shop/web" {
		t.Error(got)
	}
}
