package ingest

import (
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

const ownRetry = `source: {kind: ServiceAccount, name: buyer, namespace: shop}
destinations: [{kind: Service, name: books, namespace: library}]
retryPolicy: {retryOn: 5xx, perTryTimeout: 1s, numRetries: 3, retryBackoffBaseInterval: 25ms}`

// TestRetryOfAnotherNamespace checks that a namespace cannot configure the clients of another one.
func TestRetryOfAnotherNamespace(t *testing.T) {
	if got, problems := Retry(smi(t, ownRetry)); got == nil || len(problems) > 0 {
		t.Fatalf("the Retry of the source's namespace is %v with the problems %v", got, problems)
	}
	got, problems := Retry(smi(t, strings.Replace(ownRetry, "namespace: shop", "namespace: bank", 1)))
	expect(t, (*catalog.Retry)(nil), got, []string{`ForeignNamespace: spec.source.namespace is "bank", but this Retry is in the namespace "shop"`}, problems)
}

// TestRetryIsBounded checks that no Retry multiplies requests without a limit.
func TestRetryIsBounded(t *testing.T) {
	extreme := strings.NewReplacer("numRetries: 3", "numRetries: 4294967295", "perTryTimeout: 1s", "perTryTimeout: 1ns").Replace(ownRetry)
	got, problems := Retry(smi(t, extreme))
	if got == nil || got.Policy.Count != 10 || got.Policy.PerTryTimeout != 10*time.Millisecond {
		t.Errorf("the Retry is %+v, want 10 retries of at least 10ms", got)
	}
	expect(t, 0, 0, []string{"?InvalidDuration: perTryTimeout 1ns is too short and counts as 10ms", "?InvalidNumber: numRetries is 4294967295 and counts as 10"}, problems)
}
