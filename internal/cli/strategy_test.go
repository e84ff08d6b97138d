package cli

import (
	"encoding/json"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

func TestStrategyOfAnUpgrade(t *testing.T) {
	earlier := &v1alpha1.UpgradeSpec{Canary: &v1alpha1.CanarySpec{Namespaces: metav1.LabelSelector{MatchLabels: map[string]string{"stage": "early", "team": "a"}}}}
	for name, test := range map[string]struct {
		flags       strategyFlags
		live        *v1alpha1.UpgradeSpec
		want, wrong string
	}{
		"nothing is said": {want: `{"version":"v0.2.0"}`},
		"in place":        {flags: strategyFlags{strategy: "in-place"}, live: earlier, want: `{"upgrade":{"canary":null,"strategy":"InPlace"},"version":"v0.2.0"}`},
		"canary": {
			flags: strategyFlags{"Canary", "stage=early"},
			want:  `{"upgrade":{"canary":{"namespaces":{"matchExpressions":null,"matchLabels":{"stage":"early"}}},"strategy":"Canary"},"version":"v0.2.0"}`,
		},
		"somebody else comes first": {
			flags: strategyFlags{"canary", "stage=first,tier in (web)"}, live: earlier,
			want: `{"upgrade":{"canary":{"namespaces":{"matchExpressions":[{"key":"tier","operator":"In","values":["web"]}],"matchLabels":{"stage":"first","team":null}}},"strategy":"Canary"},"version":"v0.2.0"}`,
		},
		"the same as before": {flags: strategyFlags{strategy: "canary"}, live: earlier, want: `{"upgrade":{"strategy":"Canary"},"version":"v0.2.0"}`},
		"nobody comes first": {flags: strategyFlags{strategy: "canary"}, wrong: "--canary-namespaces"},
		"an unknown way":     {flags: strategyFlags{strategy: "blue-green"}, wrong: "use in-place or canary"},
		"no canary":          {flags: strategyFlags{namespaces: "stage=early"}, wrong: "only with --strategy canary"},
		"no selector":        {flags: strategyFlags{"canary", "stage in"}, wrong: "is not a label selector"},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.flags.check()
			var patch []byte
			if err == nil {
				patch, err = specPatch(v1alpha1.MeshSpec{Version: ptr.To("v0.2.0")}, test.flags, test.live)
			}
			if test.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), test.wrong) {
					t.Errorf("error = %v, want one that says %q", err, test.wrong)
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
