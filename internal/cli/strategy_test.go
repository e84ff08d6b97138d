package cli

import (
	"encoding/json"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

func TestStrategyFlags(t *testing.T) {
	earlier := &v1alpha1.UpgradeSpec{Strategy: &v1alpha1.UpgradeStrategy{
		Canary: &v1alpha1.CanarySpec{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"stage": "early", "team": "a"}}},
	}}
	for name, test := range map[string]struct {
		flags       strategyFlags
		live        *v1alpha1.UpgradeSpec
		want, wrong string
	}{
		"no flags": {want: `{"version":"v0.2.0"}`},
		"in place": {flags: strategyFlags{strategy: "in-place"}, live: earlier, want: `{"upgrade":{"strategy":{"canary":null,"type":"InPlace"}},"version":"v0.2.0"}`},
		"canary": {
			flags: strategyFlags{"Canary", "stage=early"},
			want:  `{"upgrade":{"strategy":{"canary":{"namespaceSelector":{"matchExpressions":null,"matchLabels":{"stage":"early"}}},"type":"Canary"}},"version":"v0.2.0"}`,
		},
		"canary with another selector": {
			flags: strategyFlags{"canary", "stage=first,tier in (web)"}, live: earlier,
			want: `{"upgrade":{"strategy":{"canary":{"namespaceSelector":{"matchExpressions":[{"key":"tier","operator":"In","values":["web"]}],"matchLabels":{"stage":"first","team":null}}},"type":"Canary"}},"version":"v0.2.0"}`,
		},
		"canary with the stored selector": {flags: strategyFlags{strategy: "canary"}, live: earlier, want: `{"upgrade":{"strategy":{"type":"Canary"}},"version":"v0.2.0"}`},
		"canary without a selector":       {flags: strategyFlags{strategy: "canary"}, wrong: "--canary-namespaces"},
		"unknown strategy":                {flags: strategyFlags{strategy: "blue-green"}, wrong: "must be in-place or canary"},
		"selector without canary":         {flags: strategyFlags{namespaces: "stage=early"}, wrong: "requires --strategy canary"},
		"invalid selector":                {flags: strategyFlags{"canary", "stage in"}, wrong: "must be a label selector"},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.flags.check()
			var patch []byte
			if err == nil {
				patch, err = specPatch(v1alpha1.MeshSpec{Version: ptr.To("v0.2.0")}, test.flags, test.live)
			}
			if test.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), test.wrong) {
					t.Errorf("error = %v, want %q", err, test.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got struct{ Spec json.RawMessage }
			if err := json.Unmarshal(patch, &got); err != nil {
				t.Fatal(err)
			}
			if string(got.Spec) != test.want {
				t.Errorf("patch of the spec is\n%s, want\n%s", got.Spec, test.want)
			}
		})
	}
}
