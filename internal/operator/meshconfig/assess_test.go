package meshconfig

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
)

// TestWhatActsOnNewPodsOnlyIsReported reads MeshConfigs as their authors wrote them.
func TestWhatActsOnNewPodsOnlyIsReported(t *testing.T) {
	const fine = "every field of the MeshConfig that asks for something is acted on"
	for name, c := range map[string]struct {
		traffic, want string
		state         conditions.State
	}{
		"nothing set":        {`{}`, fine, conditions.Ready},
		"acts at once":       {`{enableEgress: true}`, fine, conditions.Ready},
		"acts on new pods":   {`{outboundPortExclusionList: [6379], inboundPortExclusionList: [22]}`, fine + "; on new pods only act spec.traffic.outboundPortExclusionList, spec.traffic.inboundPortExclusionList: a pod keeps what they were when it was created, until it is replaced", conditions.Ready},
		"the empty list too": {`{outboundPortExclusionList: []}`, fine, conditions.Ready},
	} {
		config := &configv1alpha2.MeshConfig{}
		if err := yaml.UnmarshalStrict([]byte("{certificate: {serviceCertValidityDuration: 24h}, traffic: "+c.traffic+"}"), &config.Spec); err != nil {
			t.Fatal(err)
		}
		if got := assess(config); got.Message != c.want || got.State != c.state {
			t.Errorf("%s: %+v, want %v: %s", name, got, c.state, c.want)
		}
	}
}

// A value that is replaced by a default stays in the status, after the warning at admission.
func TestReplacedValuesStayInTheStatus(t *testing.T) {
	config := &configv1alpha2.MeshConfig{Spec: configv1alpha2.MeshConfigSpec{Certificate: configv1alpha2.CertificateSpec{ServiceCertValidityDuration: "24h", CertKeyBitSize: 7}}}
	got := assess(config)
	if want := "spec.certificate.certKeyBitSize 7 is out of range and means 2048"; got.State != conditions.Failing || !strings.Contains(got.Message, want) {
		t.Errorf("state %v with %q, want %q", got.State, got.Message, want)
	}
	config.Spec.Certificate.CertKeyBitSize = 2048
	if got := assess(config); got.State != conditions.Ready {
		t.Errorf("a good size has state %v with %q", got.State, got.Message)
	}
}
