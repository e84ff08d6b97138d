package explain

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Reference names a pod, workload, service account or Service.
type Reference struct {
	// Kind is the singular kind in lower case, or empty.
	Kind            string
	Namespace, Name string
	// Port is 0 if it is not specified.
	Port uint16
	text string
}

// String returns the text that the user entered.
func (r Reference) String() string { return r.text }

// Kinds of references, besides Workloads.
const (
	KindPod            = "pod"
	KindService        = "service"
	KindServiceAccount = "serviceaccount"
)

// aliases maps kind names and short names to kinds.
var aliases = map[string]string{
	"pod": KindPod, "pods": KindPod, "po": KindPod,
	"service": KindService, "services": KindService, "svc": KindService,
	"serviceaccount": KindServiceAccount, "serviceaccounts": KindServiceAccount, "sa": KindServiceAccount,
	"deployment": "deployment", "deployments": "deployment", "deploy": "deployment",
	"statefulset": "statefulset", "statefulsets": "statefulset", "sts": "statefulset",
	"daemonset": "daemonset", "daemonsets": "daemonset", "ds": "daemonset",
	"replicaset": "replicaset", "replicasets": "replicaset", "rs": "replicaset",
	"job": "job", "jobs": "job", "cronjob": "cronjob", "cronjobs": "cronjob", "cj": "cronjob",
}

// Workloads are the workload kinds, in the order in which a name without a kind is tried.
var Workloads = []string{"deployment", "statefulset", "daemonset", "job", "cronjob", "replicaset"}

// ParseReference parses "[NAMESPACE/][KIND/]NAME[:PORT]", the DNS name of a Service, "NAME.NAMESPACE[:PORT]", or an IP address with or
// without a port.
func ParseReference(text, namespace string) (Reference, error) {
	r := Reference{Namespace: namespace, text: text}
	rest, port, found := strings.Cut(text, ":")
	if address, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		rest, found = address.String(), false
	} else if addressed, err := netip.ParseAddrPort(text); err == nil {
		rest, port = addressed.Addr().String(), strconv.Itoa(int(addressed.Port()))
	}
	if found {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			return r, fmt.Errorf("%s: invalid port %q: must be a number from 1 to 65535", text, port)
		}
		r.Port = uint16(number)
	}
	parts := strings.Split(rest, "/")
	if len(parts) > 3 || slices.Contains(parts, "") {
		return r, fmt.Errorf("invalid name %q: use NAMESPACE/NAME, KIND/NAME or NAMESPACE/KIND/NAME, such as shop/web, sa/web or shop/deploy/web", text)
	}
	r.Name = parts[len(parts)-1]
	if _, err := netip.ParseAddr(r.Name); err == nil {
		return r, nil
	}
	switch len(parts) {
	case 1:
		r.host()
	case 2:
		if kind, known := aliases[strings.ToLower(parts[0])]; known {
			r.Kind = kind
		} else {
			r.Namespace = parts[0]
		}
	case 3:
		kind, known := aliases[strings.ToLower(parts[1])]
		if !known {
			return r, fmt.Errorf("%s: unknown kind %q: use pod, svc, sa, deploy, sts, ds, job, cronjob or rs", text, parts[1])
		}
		r.Namespace, r.Kind = parts[0], kind
	}
	return r, nil
}

// host parses the DNS name of a Service.
func (r *Reference) host() {
	labels := strings.Split(r.Name, ".")
	if len(labels) < 2 {
		return
	}
	if len(labels) == 2 || labels[2] == "svc" {
		r.Kind, r.Name, r.Namespace = KindService, labels[0], labels[1]
	}
}
