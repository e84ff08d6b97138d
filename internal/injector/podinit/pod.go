package podinit

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Environment variables that the kubelet sets from the pod's fields.
const (
	envPodIP          = "POD_IP"
	envPodIPs         = "POD_IPS"
	envPodName        = "POD_NAME"
	envPodNamespace   = "POD_NAMESPACE"
	envPodUID         = "POD_UID"
	envServiceAccount = "SERVICE_ACCOUNT"
)

// pod holds the metadata of the pod that is only known at its start.
type pod struct {
	namespace, serviceAccount string
	ips                       []netip.Addr
}

func podFromEnvironment(getenv func(string) string) (pod, error) {
	var problems []error
	for _, name := range []string{envPodIP, envPodIPs, envPodName, envPodNamespace, envPodUID, envServiceAccount} {
		if getenv(name) == "" {
			problems = append(problems, fmt.Errorf("the environment variable %s is empty: the injector sets it from the pod's fields", name))
		}
	}
	if problems != nil {
		return pod{}, errors.Join(problems...)
	}
	p := pod{namespace: getenv(envPodNamespace), serviceAccount: getenv(envServiceAccount)}
	for _, text := range strings.Split(getenv(envPodIPs), ",") {
		ip, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			return pod{}, fmt.Errorf("the environment variable %s holds %q, which is not an IP address", envPodIPs, text)
		}
		p.ips = append(p.ips, ip)
	}
	return p, nil
}
