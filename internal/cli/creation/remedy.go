package creation

import (
	"fmt"
	"strings"
)

// remedies are what to do about sentences that contain a text, the first that applies. docs/help/pod-does-not-start.md has the same texts. A lasting
// failure does not end without a change: others end when the cluster has room, or when a server responds again.
var remedies = []struct {
	contains string
	do       string
	lasts    bool
}{
	{"failed calling webhook", "look at the pods of the injector: kubectl get pods -A -l app=osm-injector", false},
	{"violates PodSecurity", "run kubectl label namespace %s pod-security.kubernetes.io/enforce=privileged --overwrite, see docs/security/pods.md", true},
	{"exceeded quota", "raise the quota, or lower the requests and limits in spec.sidecar.resources of the Mesh", false},
	{"must specify", "add a LimitRange with defaults to the namespace, or set limits in spec.sidecar.resources of the Mesh", true},
	{"usage per Container", "change the LimitRange of the namespace, or spec.sidecar.resources of the Mesh", true},
	{"error looking up service account", "create the ServiceAccount, or correct serviceAccountName in the pod template", false},
	{"denied the request", "correct the pod template or the namespace as the message says", true},
}

// elsewhere is what to do about all other sentences.
const elsewhere = "see docs/help/pod-does-not-start.md"

// Remedy says what to do.
func (f Failure) Remedy() string {
	for _, r := range remedies {
		if !strings.Contains(f.Sentence, r.contains) {
			continue
		}
		if strings.Contains(r.do, "%s") {
			return fmt.Sprintf(r.do, f.Namespace)
		}
		return r.do
	}
	return elsewhere
}

// IsLasting reports whether the failure does not end without a change.
func (f Failure) IsLasting() bool {
	for _, r := range remedies {
		if strings.Contains(f.Sentence, r.contains) {
			return r.lasts
		}
	}
	return false
}
