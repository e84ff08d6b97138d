package gateway

import (
	"strings"
	"testing"
	"time"
)

// TestExpiredCertificate checks that the status of a listener reports an expired certificate, which stays in use.
func TestExpiredCertificate(t *testing.T) {
	f := newFixture(t, secret(t))
	f.reconcile(t)
	if _, problems := f.statusOfGateway(t); len(problems) > 0 {
		t.Fatalf("problems %q with a valid certificate", problems)
	}
	f.now = f.now.Add(2 * time.Hour)
	f.reconcile(t)
	_, problems := f.statusOfGateway(t)
	if len(problems) != 1 || !strings.HasPrefix(problems[0], "https ResolvedRefs: The Secret shop/tls has a certificate that clients reject: certificate 1 expired at ") {
		t.Errorf("problems %q, want one about the certificate of the listener https", problems)
	}
}
