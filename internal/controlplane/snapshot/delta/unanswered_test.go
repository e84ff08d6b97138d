package delta

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// TestAnswerDue has a client whose clusters warm until its certificate is created.
func TestAnswerDue(t *testing.T) {
	c := newConversation(t)
	c.put(resourcetype.Clusters, "c", "1")
	c.subscribe(resourcetype.Clusters)
	c.expect("CDS c")
	if due := c.q.answerDue(); !due.Equal(c.now.Add(maxAnswerDelay)) {
		t.Errorf("due at %v", due)
	}
	c.snapshot.pending = envoy.ServiceCertName
	c.subscribe(resourcetype.Secrets, envoy.ServiceCertName)
	c.expect()
	if due := c.q.answerDue(); !due.IsZero() {
		t.Errorf("the client waits for a certificate, and an answer is due at %v", due)
	}
	c.wait(2 * maxAnswerDelay)
	c.snapshot.pending = ""
	c.put(resourcetype.Secrets, envoy.ServiceCertName, "")
	c.wait(ackTimeout)
	c.expect("SDS " + envoy.ServiceCertName)
	if due := c.q.answerDue(); !due.Equal(c.now.Add(maxAnswerDelay)) {
		t.Errorf("with the certificate, due at %v, now %v", due, c.now)
	}
	c.ack(resourcetype.Secrets)
	c.ack(resourcetype.Clusters)
	if due := c.q.answerDue(); !due.IsZero() {
		t.Errorf("nothing is in flight, and an answer is due at %v", due)
	}
}
