package ingest

import (
	"fmt"
	"net/netip"
)

// Indexed is the path of an item of a list.
func Indexed(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// AddressRange parses a range in CIDR notation. A single address is a range of one.
func AddressRange(path, text string, found *Problems) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		address, addressErr := netip.ParseAddr(text)
		if addressErr != nil || address.Zone() != "" {
			found.Reject(ReasonRejectedAddress, "%s %.80q is not an IP range, so it is left out: write for example 10.0.0.0/8.", path, text)
			return netip.Prefix{}, false
		}
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	if prefix.Addr().Is4In6() {
		found.Reject(ReasonRejectedAddress, "%s %.80q is an IPv4 range in IPv6 notation, so it is left out: write it in IPv4 notation.", path, text)
		return netip.Prefix{}, false
	}
	return prefix.Masked(), true
}
