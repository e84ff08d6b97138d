package explain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// What is missing is named once, with the remedy that helps.
func TestRemediesHelp(t *testing.T) {
	odd := &inventory.Service{Name: Name("shop", "odd"), Selector: map[string]string{"app": "web"}}
	pod := Pod("shop", "lone-0", "lone", "lone", "10.0.0.7")
	for name, test := range map[string]struct {
		question string
		more     []catalog.Entry
		want     string
		not      []string
		missing  int
	}{
		"a Service whose protocols are unknown": {
			"front/sa/till shop/svc/odd",
			[]catalog.Entry{odd},
			"no port of Service shop/odd is part of the mesh: Port 80 has the appProtocol \"odd\".",
			[]string{"create a Service"},
			1,
		},
		"a pod behind it": {
			"front/sa/till shop/pod/lone-0",
			[]catalog.Entry{pod, &inventory.Service{Name: odd.Name, Selector: map[string]string{"app": "lone"}}},
			"no port of Service shop/odd is part of the mesh",
			[]string{"create a Service"},
			1,
		},
		"a pod without a Service": {"front/sa/till shop/pod/lone-0", []catalog.Entry{pod}, "no Service of the mesh selects pod shop/lone-0", nil, 1},
		"a Service outside the mesh": {
			"front/sa/till out/svc/far",
			[]catalog.Entry{Service("out", "far", "far", "10.96.0.7", 80, inventory.ProtocolHTTP)},
			"namespace out of Service out/far is not part of mesh osm",
			[]string{"no Service of the mesh", "no port of"},
			1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			entries := shop(test.more...)
			m := mesh(Apply(entries...), entries...)
			m.Problems = func(ref entity.Ref) []diagnosis.Finding {
				if ref.Name != odd.Name {
					return nil
				}
				return []diagnosis.Finding{diagnosis.Fail("", `Port 80 has the appProtocol "odd".`)}
			}
			q, err := explain.ParseQuestion(strings.Fields(test.question), nil, "default")
			if err != nil {
				t.Fatal(err)
			}
			answer, err := explain.Evaluate(t.Context(), m, q)
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			if err := answer.Print(&text); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text.String(), test.want) || len(answer.Missing) != test.missing {
				t.Errorf("%d requirements, want %d with %q:\n%s", len(answer.Missing), test.missing, test.want, text.String())
			}
			for _, not := range test.not {
				if strings.Contains(text.String(), not) {
					t.Errorf("the answer has %q:\n%s", not, text.String())
				}
			}
		})
	}
}

// An allowed call names the rate limits of its destination.
func TestRateLimitsAreNamed(t *testing.T) {
	web, till := SA("shop", "web"), SA("front", "till")
	limit := upstream.RequestRateLimit{RateLimit: upstream.RateLimit{Tokens: 1, Burst: 2, Interval: time.Minute}, Status: 429}
	setting := &upstream.Policy{
		Kind: upstream.Kind, Name: Name("shop", "limits"), Service: Name("shop", "web"), RequestRate: &limit,
		ConnectionRate: &upstream.RateLimit{Tokens: 5, Interval: time.Second},
		Routes:         []upstream.RouteRateLimit{{Path: "/a", Limit: upstream.RequestRateLimit{RateLimit: upstream.RateLimit{Tokens: 3, Interval: time.Hour}, Status: 503}}},
	}
	granted := []catalog.Entry{Group("shop", "paths", "/a"), Target("t", web, []catalog.TargetRule{HTTP("paths")}, till), setting}
	text := said(t, "front/sa/till shop/svc/web GET /a", nil, shop(granted...)...)
	for _, want := range []string{
		"    limit: 1 request in 1m0s and a burst of 2 for each pod, then status 429 (UpstreamTrafficSetting shop/limits)\n",
		"    limit: 3 requests in 1h0m0s for each pod for routes with the path /a, then status 503 (UpstreamTrafficSetting shop/limits)\n",
		"    limit: 5 connections in 1s for each pod (UpstreamTrafficSetting shop/limits)\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the answer does not have %q:\n%s", want, text)
		}
	}
	if text := said(t, "front/sa/till shop/svc/web GET /b", nil, shop(granted...)...); strings.Contains(text, "limit:") {
		t.Errorf("a denied call has limits:\n%s", text)
	}
}
