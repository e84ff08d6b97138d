package status

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// written returns what a record writes into the status of a proxy.
func written(a *Acknowledgements) Proxy {
	var p Proxy
	a.WriteTo(&p)
	return p
}

// TestAcknowledgements follows the responses of one stream.
func TestAcknowledgements(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	a := &Acknowledgements{}
	if diff := cmp.Diff(Proxy{Types: map[resourcetype.Type]TypeStatus{}}, written(a)); diff != "" {
		t.Errorf("a new stream (-want +got):\n%s", diff)
	}
	a.RecordSent(resourcetype.Clusters, "")
	a.RecordSent(resourcetype.Clusters, "")
	a.RecordAnswer(Answer{Type: resourcetype.Clusters}, now)
	a.RecordAnswer(Answer{Type: resourcetype.Clusters, Message: "no", Rejection: "rejected"}, now.Add(time.Second))
	a.SetPending(&[resourcetype.NumTypes]time.Time{resourcetype.Routes: now})
	want := map[resourcetype.Type]TypeStatus{
		resourcetype.Clusters: {Sent: 2, Acknowledged: 1, Rejected: 1, Rejection: "rejected", AnsweredAt: now.Add(time.Second)}, resourcetype.Routes: {PendingSince: now},
	}
	if diff := cmp.Diff(want, written(a).Types); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	if _, complete := a.CompleteEpoch(); complete || a.IsComplete() {
		t.Error("a new stream is complete")
	}
	software := Software{Envoy: "1.40.0", Epoch: 7}
	a.SetSoftware(software)
	a.SetComplete()
	if epoch, complete := a.CompleteEpoch(); epoch != 7 || !complete || !a.IsComplete() {
		t.Errorf("the epoch is %d, complete %t", epoch, complete)
	}
	if got := written(a); got.Software != software || !got.IsComplete {
		t.Errorf("the status has %+v", got)
	}
}

// TestCertificatesOfAStream checks which certificate a proxy has.
func TestCertificatesOfAStream(t *testing.T) {
	expiry := time.Unix(1_800_000_000, 0)
	one, two := resource.CertificateVersion("one", "a.example", expiry), resource.CertificateVersion("two", "b.example", expiry.Add(time.Hour))
	sent := func(version string) func(*Acknowledgements) {
		return func(a *Acknowledgements) { a.RecordSent(resourcetype.Secrets, version) }
	}
	initial := func(version string) func(*Acknowledgements) {
		return func(a *Acknowledgements) { a.RecordInitialCertificate(version) }
	}
	answer := func(t resourcetype.Type, message string) func(*Acknowledgements) {
		return func(a *Acknowledgements) { a.RecordAnswer(Answer{Type: t, Message: message}, expiry) }
	}
	uses := func(uses bool) func(*Acknowledgements) {
		return func(a *Acknowledgements) { a.SetUsesCertificates(uses) }
	}
	ack := answer(resourcetype.Secrets, "")
	first := Proxy{UsesCertificates: true, CertificateExpiry: expiry, CertificateIssuer: "one", CertificateTrustDomain: "a.example"}
	second := Proxy{UsesCertificates: true, CertificateExpiry: expiry.Add(time.Hour), CertificateIssuer: "two", CertificateTrustDomain: "b.example"}
	for name, test := range map[string]struct {
		steps []func(*Acknowledgements)
		want  Proxy
	}{
		"none is used":                      {nil, Proxy{}},
		"none was sent":                     {[]func(*Acknowledgements){uses(true)}, Proxy{UsesCertificates: true, AwaitsCertificate: true}},
		"no version was sent":               {[]func(*Acknowledgements){uses(true), sent(""), ack}, Proxy{UsesCertificates: true, AwaitsCertificate: true}},
		"one was sent":                      {[]func(*Acknowledgements){uses(true), sent(one)}, Proxy{UsesCertificates: true}},
		"and acknowledged":                  {[]func(*Acknowledgements){uses(true), sent(one), ack}, first},
		"and another type was acknowledged": {[]func(*Acknowledgements){uses(true), sent(one), answer(resourcetype.Clusters, "")}, Proxy{UsesCertificates: true}},
		"and rejected":                      {[]func(*Acknowledgements){uses(true), sent(one), answer(resourcetype.Secrets, "no")}, Proxy{UsesCertificates: true}},
		"another one was sent":              {[]func(*Acknowledgements){uses(true), sent(one), ack, sent(two)}, first},
		"and acknowledged too":              {[]func(*Acknowledgements){uses(true), sent(one), ack, sent(two), ack}, second},
		"of an earlier stream":              {[]func(*Acknowledgements){uses(true), initial(one)}, first},
		"and no other one was sent":         {[]func(*Acknowledgements){uses(true), initial(one), sent(""), ack}, first},
		"of an earlier stream, replaced":    {[]func(*Acknowledgements){uses(true), sent(two), ack, initial(one)}, second},
		"an unknown one":                    {[]func(*Acknowledgements){uses(true), initial("unknown")}, Proxy{UsesCertificates: true}},
		"one without a time":                {[]func(*Acknowledgements){uses(true), initial("one@a.example.x")}, Proxy{UsesCertificates: true}},
		"still used":                        {[]func(*Acknowledgements){uses(true), sent(one), ack, uses(true)}, first},
		"no earlier one":                    {[]func(*Acknowledgements){uses(true), initial("")}, Proxy{UsesCertificates: true, AwaitsCertificate: true}},
		"no earlier one, and one was sent":  {[]func(*Acknowledgements){uses(true), sent(one), initial("")}, Proxy{UsesCertificates: true}},
		"not used any more":                 {[]func(*Acknowledgements){uses(true), sent(one), ack, uses(false), ack}, Proxy{}},
	} {
		a := &Acknowledgements{}
		for _, step := range test.steps {
			step(a)
		}
		got := written(a)
		got.Types = nil
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestProxyIsUpToDate(t *testing.T) {
	types := func(status TypeStatus) map[resourcetype.Type]TypeStatus {
		return map[resourcetype.Type]TypeStatus{resourcetype.Clusters: {Sent: 1, Acknowledged: 1}, resourcetype.Routes: status}
	}
	for name, test := range map[string]struct {
		proxy Proxy
		want  bool
	}{
		"it is":             {Proxy{Types: types(TypeStatus{})}, true},
		"it is not served":  {Proxy{Software: Software{UnservedReason: "too old"}}, false},
		"a change is new":   {Proxy{Types: types(TypeStatus{PendingSince: time.Unix(1, 0)})}, false},
		"it rejects a part": {Proxy{Types: types(TypeStatus{Rejection: "no"})}, false},
	} {
		if got := test.proxy.IsUpToDate(); got != test.want {
			t.Errorf("%s: up to date is %t", name, got)
		}
	}
	for status, want := range map[TypeStatus]bool{{Sent: 3, Acknowledged: 1, Rejected: 1}: true, {Sent: 2, Acknowledged: 1, Rejected: 1}: false, {}: false} {
		if got := status.IsAwaitingAnswer(); got != want {
			t.Errorf("%+v awaits an answer is %t", status, got)
		}
	}
}
