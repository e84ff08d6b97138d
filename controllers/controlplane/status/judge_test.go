package status

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
)

func object(kind schema.GroupVersionKind, name string, created int64, spec map[string]any) *unstructured.Unstructured {
	u := traffic.Object(kind)
	u.SetNamespace("shop")
	u.SetName(name)
	u.SetCreationTimestamp(metav1.NewTime(time.Unix(created, 0)))
	u.Object["spec"] = spec
	return u
}

func target(rules ...any) *unstructured.Unstructured {
	account := func(name string) map[string]any {
		return map[string]any{"kind": "ServiceAccount", "name": name, "namespace": "shop"}
	}
	return object(traffic.TrafficTarget, "target", 1, map[string]any{
		"destination": account("web"), "sources": []any{account("client")}, "rules": rules,
	})
}

func rule(kind, name string, matches ...any) map[string]any {
	return map[string]any{"kind": kind, "name": name, "matches": matches}
}

func split(name string, created int64, weight int64) *unstructured.Unstructured {
	return object(traffic.TrafficSplit, name, created, map[string]any{
		"service": "web", "backends": []any{map[string]any{"service": "web-v1", "weight": weight}},
	})
}

func TestJudge(t *testing.T) {
	group := object(traffic.HTTPRouteGroup, "paths", 1, map[string]any{"matches": []any{map[string]any{"name": "all", "pathRegex": "/.*"}}})
	tests := []struct {
		name   string
		judge  Judge
		object *unstructured.Unstructured
		others []client.Object
		// want maps condition types to "status reason".
		want map[string]string
		// says is part of a message.
		says string
	}{
		{
			"a target whose routes exist", JudgeTarget, target(rule("HTTPRouteGroup", "paths", "all")),
			[]client.Object{group},
			map[string]string{Accepted: "True Accepted", ResolvedRefs: "True ResolvedRefs"},
			"in force",
		},
		{
			"a target whose group is missing", JudgeTarget, target(rule("HTTPRouteGroup", "none")),
			nil,
			map[string]string{Accepted: "True Accepted", ResolvedRefs: "False RefNotFound"},
			"HTTPRouteGroup shop/none does not exist",
		},
		{
			"a target that names a match which does not exist", JudgeTarget, target(rule("HTTPRouteGroup", "paths", "typo")),
			[]client.Object{group},
			map[string]string{Accepted: "True Accepted", ResolvedRefs: "False RefNotFound"},
			`no usable match named "typo"`,
		},
		{
			"a target whose TCP route is missing", JudgeTarget, target(rule("TCPRoute", "none")),
			nil,
			map[string]string{Accepted: "True Accepted", ResolvedRefs: "False RefNotFound"},
			"TCPRoute shop/none does not exist",
		},
		{
			"the oldest split of a root", JudgeSplit, split("old", 1, 100),
			[]client.Object{split("new", 2, 100)},
			map[string]string{Accepted: "True Accepted"},
			"in force",
		},
		{
			"a younger split of the same root", JudgeSplit, split("new", 2, 100),
			[]client.Object{split("old", 1, 100)},
			map[string]string{Accepted: "False Conflicted"},
			"TrafficSplit shop/old, which is older",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			reader := fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(append(test.others, test.object)...).Build()
			conditions, err := test.judge(t.Context(), reader, test.object)
			if err != nil {
				t.Fatal(err)
			}
			got, said := map[string]string{}, ""
			for _, c := range conditions {
				got[c.Type] = string(c.Status) + " " + c.Reason
				said += c.Message
			}
			for kind, want := range test.want {
				if got[kind] != want {
					t.Errorf("%s is %q, want %q (%s)", kind, got[kind], want, said)
				}
			}
			if len(got) != len(test.want) || !strings.Contains(said, test.says) {
				t.Errorf("conditions %v say %q; want %v and %q", got, said, test.want, test.says)
			}
		})
	}
}
