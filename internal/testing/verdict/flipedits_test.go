package verdict

import (
	"math/rand/v2"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// anyFlip adds, removes or changes an object.
func anyFlip(choose *rand.Rand) catalog.Change {
	list := append(policyFlips(choose), listenerFlips(choose)...)
	e := list[choose.IntN(len(list))]
	needed := slices.Contains([]entity.Kind{entity.KindSettings, entity.KindNamespace, entity.KindService}, e.Ref().Kind)
	if choose.IntN(4) == 0 && !needed {
		return catalog.Change{Ref: e.Ref()}
	}
	return catalog.Set(e)
}

// policyFlips change routes, clusters, or filters that the sidecar receives separately.
func policyFlips(choose *rand.Rand) []catalog.Entry {
	return []catalog.Entry{
		flippingSplit("rest", nil, choose), flippingSplit("alice", []string{"alice"}, choose), flippingSplit("both", []string{"alice", "paths"}, choose),
		&catalog.HTTPRouteGroup{Name: Name("a", "alice"), Matches: []catalog.HTTPMatch{{Headers: []catalog.HeaderMatch{{Name: "x-user", Regex: pick(choose, "alice", "bob", ".*")}}}}},
		Group("a", "paths", pick(choose, "/a", "/b/.*", "/c")),
		&retry.Policy{Name: Name("a", "retry"), Source: accounts[0], Destinations: []entity.Name{services[choose.IntN(3)].name}, Settings: retry.Settings{On: "5xx", Count: 1 + choose.Uint32N(3)}},
		flippingLimits(choose),
		Target("more", accounts[0], []catalog.TargetRule{HTTP("paths")}, accounts[pick(choose, 0, 1, 2)]),
		Target("many", accounts[1], []catalog.TargetRule{HTTP("alice"), TCP("always")}, accounts...),
	}
}

// listenerFlips change connection managers or chains of listeners. Connections that were open before keep what they began with.
func listenerFlips(choose *rand.Rand) []catalog.Entry {
	decodes := choose.IntN(2) == 0
	web := flippingService(choose.IntN(3))
	web.DecodeSlashes = &decodes
	return []catalog.Entry{
		web,
		&catalog.Namespace{Name: "a", Monitored: true, DecodeSlashes: choose.IntN(2) == 0},
		&telemetry.Policy{Name: Name("a", "telemetry"), Text: "%RESPONSE_CODE%", Filter: pick(choose, "", "response.code >= 400")},
		&extauthz.Policy{Name: Name("a", "authorization"), Service: Name("a", "server"), Timeout: authorizationTimeout, FailureModeAllow: choose.IntN(2) == 0},
		&ingressbackend.Policy{
			Name: Name("a", "ingress"), Prefixes: outsideRanges()[:1],
			Backends: []ingressbackend.Port{{Service: services[choose.IntN(3)].name, TargetPort: webPort}},
		},
		&catalog.Settings{
			RetryPolicies: true, IngressBackends: choose.IntN(2) == 0, ActiveHealthChecks: choose.IntN(2) == 0,
			Tracing: pick(choose, nil, &catalog.Tracing{Address: outsideAddresses[0].String(), Port: 9411, Path: "/api/v2/spans", Sampling: 1}),
		},
	}
}

// authorizerOfFlips allows all requests without its header.
func authorizerOfFlips() catalog.Entry {
	return &catalog.ExtensionService{Name: Name("a", "server"), Address: outsideAddresses[0].String(), Port: authorizers[1].port}
}
