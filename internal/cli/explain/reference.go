package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Reference names a pod, workload, service account or Service, as a user writes it.
type Reference struct {
	// Kind is a singular word in lower case, such as "pod"; empty when the user left it open.
	Kind            string
	Namespace, Name string
	// Port is 0 when the user left it open.
	Port uint16
	text string
}

// String is what the user wrote.
func (r Reference) String() string { return r.text }

// Kinds of references. Workloads are all but the first three.
const (
	KindPod            = "pod"
	KindService        = "service"
	KindServiceAccount = "serviceaccount"
)

// aliases are the kinds by what users call them.
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

// Workloads are the kinds of workloads, in the order in which a name without a kind is looked for.
var Workloads = []string{"deployment", "statefulset", "daemonset", "job", "cronjob", "replicaset"}

// ParseReference reads "[NAMESPACE/][KIND/]NAME[:PORT]", or a DNS name of a Service, "NAME.NAMESPACE[:PORT]".
func ParseReference(text, namespace string) (Reference, error) {
	r := Reference{Namespace: namespace, text: text}
	rest, port, found := strings.Cut(text, ":")
	if found {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			return r, fmt.Errorf("%s has %q for a port: write a number from 1 to 65535", text, port)
		}
		r.Port = uint16(number)
	}
	parts := strings.Split(rest, "/")
	if len(parts) > 3 || slices.Contains(parts, "") {
		return r, fmt.Errorf("%q names nothing: write NAMESPACE/NAME, KIND/NAME or NAMESPACE/KIND/NAME, such as shop/web, sa/web or shop/deploy/web", text)
	}
	r.Name = parts[len(parts)-1]
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
			return r, fmt.Errorf("%s: %q is not a kind: use pod, svc, sa, deploy, sts, ds, job, cronjob or rs", text, parts[1])
		}
		r.Namespace, r.Kind = parts[0], kind
	}
	return r, nil
}

// host reads a DNS name of a Service.
func (r *Reference) host() {
	labels := strings.Split(r.Name, ".")
	if len(labels) < 2 {
		return
	}
	if len(labels) == 2 || labels[2] == "svc" {
		r.Kind, r.Name, r.Namespace = KindService, labels[0], labels[1]
	}
}
