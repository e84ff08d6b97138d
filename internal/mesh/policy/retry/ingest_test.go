package retry

import (
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/ingesttest"
)

func TestRetry(t *testing.T) {
	own := func(change func(*Policy)) *Policy {
		r := &Policy{
			Name: ingesttest.Name, Created: ingesttest.Created, Source: identity.ServiceAccount{Namespace: "shop", Name: "buyer"},
			Destinations: []entity.Name{{Namespace: "shop", Name: "books"}, {Namespace: "shop", Name: "store"}},
			Settings:     Settings{On: "5xx,reset", Count: 3, PerTryTimeout: time.Second, BackoffBase: 25 * time.Millisecond},
		}
		if change != nil {
			change(r)
		}
		return r
	}
	const (
		source       = "source: {kind: ServiceAccount, name: buyer, namespace: shop}\n"
		destinations = "destinations: [{kind: Service, name: store, namespace: shop}, {kind: Service, name: books, namespace: shop}, {kind: Service, name: books, namespace: shop}]\n"
		policy       = "retryPolicy: {retryOn: '5xx,reset', perTryTimeout: 1s, numRetries: 3, retryBackoffBaseInterval: 25ms}"
	)
	on := func(words string) string {
		return source + destinations + strings.Replace(policy, "5xx,reset", words, 1)
	}
	for name, c := range map[string]struct {
		spec     string
		want     *Policy
		problems []string
	}{
		"all fields":             {source + destinations + policy, own(nil), nil},
		"conditions with spaces": {on(" 5xx ,reset,, 5xx"), own(nil), nil},
		"gRPC conditions":        {on("unavailable,cancelled"), own(func(r *Policy) { r.Settings.On = "unavailable,cancelled" }), nil},
		"only a condition": {
			source + destinations + "retryPolicy: {retryOn: reset}",
			own(func(r *Policy) { r.Settings = Settings{On: "reset", Count: 1} }), nil,
		},
		"unknown condition":           {on("5xx,timeout"), nil, []string{`InvalidCondition: spec.retryPolicy.retryOn has "timeout", which is not a condition that sidecars support, so this Retry does nothing: use 5xx, gateway-error`}},
		"no condition":                {on(" , "), nil, []string{"InvalidCondition: retryOn is empty"}},
		"condition that needs a list": {on("5xx,reset,retriable-status-codes"), own(func(r *Policy) { r.Settings.On += ",retriable-status-codes" }), []string{"?InvalidCondition: retriable-status-codes, which acts only on requests"}},
		"bad numbers": {
			source + destinations + "retryPolicy: {retryOn: '5xx,reset', perTryTimeout: -1s, numRetries: 4294967296, retryBackoffBaseInterval: soon}",
			own(func(r *Policy) { r.Settings = Settings{On: "5xx,reset", Count: 1} }),
			[]string{"InvalidDuration: perTryTimeout -1s is below zero", `InvalidDuration: retryBackoffBaseInterval "soon" is not a duration`, "InvalidNumber: spec.retryPolicy.numRetries is 4294967296"},
		},
		"a duration above the maximum": {
			source + destinations + "retryPolicy: {retryOn: '5xx,reset', numRetries: 3, perTryTimeout: 99999h, retryBackoffBaseInterval: 25ms}",
			own(func(r *Policy) { r.Settings.PerTryTimeout = 0 }),
			[]string{"InvalidDuration: is too long and has no effect: write at most 8760h"},
		},
		"some destinations that are none": {
			source + "destinations: [{kind: ServiceAccount, name: a, namespace: b}, {kind: Service, name: '*', namespace: shop}, {kind: Service, name: books}, {kind: Service, name: books, namespace: shop}]\n" + policy,
			own(func(r *Policy) { r.Destinations = r.Destinations[:1] }),
			[]string{`Unsupported: spec.destinations[0] has the kind "ServiceAccount"`, `InvalidName: spec.destinations[1].name "*"`, `InvalidName: spec.destinations[2].namespace ""`},
		},
		"no destination":        {source + policy, nil, []string{"GrantsNothing: spec.destinations is empty"}},
		"source of other kind":  {strings.Replace(source, "ServiceAccount", "Service", 1) + destinations + policy, nil, []string{"Unsupported: spec.source has the kind"}},
		"source of no one":      {"source: {kind: ServiceAccount, name: buyer}\n" + destinations + policy, nil, []string{"InvalidName: spec.source has no namespace"}},
		"malformed":             {source + destinations + "retryPolicy: {retryOn: [5xx], numRetries: many}", nil, []string{"Malformed: spec.retryPolicy.retryOn is a list", "Malformed: spec.retryPolicy.numRetries"}},
		"nothing":               {"{}", nil, []string{"Unsupported: spec.source", "InvalidCondition: retryOn is empty", "GrantsNothing: spec.destinations"}},
		"numRetries of nothing": {strings.Replace(on("5xx,reset"), "numRetries: 3", "numRetries: 0", 1), own(func(r *Policy) { r.Settings.Count = 0 }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := Read(ingesttest.Object(t, c.spec))
			ingesttest.Expect(t, c.want, got, c.problems, problems)
		})
	}
}

const ownRetry = `source: {kind: ServiceAccount, name: buyer, namespace: shop}
destinations: [{kind: Service, name: books, namespace: library}]
retryPolicy: {retryOn: 5xx, perTryTimeout: 1s, numRetries: 3, retryBackoffBaseInterval: 25ms}`

// TestRetryOfAnotherNamespace checks that a namespace cannot configure the clients of another one.
func TestRetryOfAnotherNamespace(t *testing.T) {
	if got, problems := Read(ingesttest.Object(t, ownRetry)); got == nil || len(problems) > 0 {
		t.Fatalf("the Retry of the source's namespace is %v with the problems %v", got, problems)
	}
	got, problems := Read(ingesttest.Object(t, strings.Replace(ownRetry, "namespace: shop", "namespace: bank", 1)))
	ingesttest.Expect(t, (*Policy)(nil), got, []string{`ForeignNamespace: spec.source.namespace is "bank", but this Retry is in the namespace "shop"`}, problems)
}

// TestRetryIsBounded checks that no Retry multiplies requests without a limit.
func TestRetryIsBounded(t *testing.T) {
	extreme := strings.NewReplacer("numRetries: 3", "numRetries: 4294967295", "perTryTimeout: 1s", "perTryTimeout: 1ns").Replace(ownRetry)
	got, problems := Read(ingesttest.Object(t, extreme))
	if got == nil || got.Settings.Count != 10 || got.Settings.PerTryTimeout != 10*time.Millisecond {
		t.Errorf("the Retry is %+v, want 10 retries of at least 10ms", got)
	}
	ingesttest.Expect(t, 0, 0, []string{"?InvalidDuration: perTryTimeout 1ns is too short and counts as 10ms", "?InvalidNumber: numRetries is 4294967295 and counts as 10"}, problems)
}

// TestLargestValues checks that the largest value that a message names is usable.
func TestLargestValues(t *testing.T) {
	got, problems := Read(ingesttest.Object(t, strings.NewReplacer("numRetries: 3", "numRetries: 10", "perTryTimeout: 1s", "perTryTimeout: 10ms").Replace(ownRetry)))
	ingesttest.Expect(t, Settings{On: "5xx", Count: 10, PerTryTimeout: 10 * time.Millisecond, BackoffBase: 25 * time.Millisecond}, got.Settings, nil, problems)
}

// FuzzRead checks that a Retry has a client of its own namespace, and bounded attempts.
func FuzzRead(f *testing.F) {
	ingesttest.Fuzz(f, Read, func(t *testing.T, policy *Policy) {
		if policy.Source.Namespace != policy.Name.Namespace || policy.Source.Name == "" || len(policy.Destinations) == 0 ||
			policy.Settings.On == "" || policy.Settings.Count > MaxCount || policy.Settings.PerTryTimeout < 0 || policy.Settings.BackoffBase < 0 {
			t.Errorf("a Retry without bounds: %+v", policy)
		}
	}, `{"metadata":{"namespace":"a","name":"b"},"spec":{"source":{"kind":"ServiceAccount","name":"x","namespace":"a"},"destinations":[{"kind":"Service","name":"y","namespace":"b"}],"retryPolicy":{"retryOn":"5xx, reset","perTryTimeout":"1s","numRetries":3,"retryBackoffBaseInterval":"25ms"}}}`)
}
