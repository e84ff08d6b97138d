package redirect

import (
	"net/netip"
	"slices"
)

// disjoint returns the prefixes of one address family, sorted, without those that another one contains. The kernel
// rejects overlapping elements in a set.
func disjoint(prefixes []netip.Prefix, v6 bool) []netip.Prefix {
	var family []netip.Prefix
	for _, p := range prefixes {
		if p = unmapped(p); p.Addr().Is6() == v6 {
			family = append(family, p.Masked())
		}
	}
	// Among prefixes with the same first address, the wider one sorts first.
	slices.SortFunc(family, netip.Prefix.Compare)
	var kept []netip.Prefix
	for _, p := range family {
		if len(kept) == 0 || !kept[len(kept)-1].Overlaps(p) {
			kept = append(kept, p)
		}
	}
	return kept
}

// unmapped converts an IPv4-mapped IPv6 range (::ffff:10.0.0.0/104) into the IPv4 range.
func unmapped(p netip.Prefix) netip.Prefix {
	const mappedBits = 96
	if p.Addr().Is4In6() && p.Bits() >= mappedBits {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}
	return p
}

// lastOf returns the highest address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}
