package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"
)

// resolverFile has the name servers of the pod. The kubelet writes it for all containers.
const resolverFile = "/etc/resolv.conf"

// resolvers returns the name servers in a file. A missing file has none. Lines that a resolver would ignore are ignored.
func resolvers(file string) ([]netip.Addr, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the name servers of the pod cannot be read: %w", err)
	}
	var list []netip.Addr
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if address, err := netip.ParseAddr(fields[1]); err == nil {
			list = append(list, address)
		}
	}
	return list, nil
}
