package leftovers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func (m Machine) mounts(context.Context) ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return mountsBelow(f, m.State.Dir)
}

// mountsBelow returns the mount points below the folder, the last mounted first, without the folder itself.
func mountsBelow(mountinfo io.Reader, dir string) ([]string, error) {
	var found []string
	lines := bufio.NewScanner(mountinfo)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		if point := unescape(fields[4]); strings.HasPrefix(point, dir+"/") {
			found = append(found, point)
		}
	}
	slices.Reverse(found)
	return found, lines.Err()
}

var octal = regexp.MustCompile(`\\[0-7]{3}`)

// unescape decodes the kernel's escapes in mountinfo, such as \040 for a space.
func unescape(s string) string {
	return octal.ReplaceAllStringFunc(s, func(code string) string {
		n, err := strconv.ParseUint(code[1:], 8, 8)
		if err != nil {
			return code
		}
		return string([]byte{byte(n)})
	})
}

func (m Machine) unmount(ctx context.Context) error {
	return retry(ctx, func() error {
		points, err := m.mounts(ctx)
		if err != nil {
			return err
		}
		for _, p := range points {
			if err := unix.Unmount(p, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("cannot unmount %s: %w", p, err)
			}
		}
		if len(points) > 0 {
			return fmt.Errorf("%s is still mounted", points[0])
		}
		return nil
	})
}
