package launch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// relay stands between the Envoy of this slot and the one that serves. Envoy's protocol of hot restart takes the admin interface and the statistics
// of the parent away when the child starts, and a child aborts when its parent has died. The relay passes only two messages on: requests for
// listening sockets, and the order to drain, when the launcher has recorded that this slot serves. It answers the others itself.
type relay struct {
	// child is the socket that the own Envoy takes for its parent. parent is the one that the serving Envoy takes for its child.
	child, parent           *net.UnixConn
	childAddress, parentAdd *net.UnixAddr
	// drain is called before the order to drain is passed on, and prevents it with an error.
	drain func() error
	// result gets nil once the serving Envoy drains, or the first reason why it does not.
	result chan error
	mu     sync.Mutex
	// detached is true once nothing is passed on any more.
	detached bool
}

// Requests of the protocol of hot restart, by their field numbers.
const (
	passListenSocket = 1
	shutdownAdmin    = 2
	exportStats      = 3
	drainListeners   = 4
)

const (
	// parentTimeout bounds the wait for a socket. Without one, the Envoy opens its own.
	parentTimeout = 5 * time.Second
	// messageSize is the largest datagram of Envoy.
	messageSize = 4096
	lengthSize  = 8
)

// newRelay listens on the socket of the parent of an Envoy with an epoch, in front of the serving one.
func newRelay(s state, serving record, epoch int, drain func() error) (*relay, error) {
	r := &relay{
		drain:        drain,
		result:       make(chan error, 1),
		childAddress: &net.UnixAddr{Net: "unixgram", Name: s.hotSocket("child", epoch, 1)},
		parentAdd:    &net.UnixAddr{Net: "unixgram", Name: s.parentSocket(serving)},
	}
	var first, second error
	r.child, first = listenDatagrams(s.hotSocket("parent", epoch, 0))
	r.parent, second = listenDatagrams(s.childSocket(serving))
	if err := errors.Join(first, second); err != nil {
		r.close()
		return nil, err
	}
	go r.run()
	return r, nil
}

func listenDatagrams(path string) (*net.UnixConn, error) {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	return net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
}

func (r *relay) close() {
	for _, conn := range []*net.UnixConn{r.child, r.parent} {
		if conn != nil {
			_ = conn.Close()
		}
	}
}

// detach passes nothing on any more.
func (r *relay) detach() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.detached = true
}

func (r *relay) isDetached() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.detached
}

func (r *relay) run() {
	buffer := make([]byte, messageSize)
	for {
		n, err := r.child.Read(buffer)
		if err != nil {
			return
		}
		message := buffer[:n]
		switch requestOf(message) {
		case passListenSocket:
			r.passSocket(message)
		case shutdownAdmin:
			r.reply(shutdownReply(time.Now()), nil)
		case exportStats:
			r.reply([]byte{0x12, 2, exportStats<<3 | 2, 0}, nil)
		case drainListeners:
			r.passDrain(message)
		}
	}
}

// passDrain passes the order to drain on. It has no reply: an Envoy that may not take over is ended by its launcher.
func (r *relay) passDrain(message []byte) {
	if r.isDetached() {
		r.report(errors.New("it has not all sockets of the serving Envoy"))
		return
	}
	r.detach()
	if err := r.drain(); err != nil {
		r.report(err)
		return
	}
	_, _ = r.parent.WriteTo(message, r.parentAdd) // one that has died has no connections
	r.report(nil)
}

// report keeps the first result.
func (r *relay) report(err error) {
	select {
	case r.result <- err:
	default:
	}
}

// passSocket asks the serving Envoy for a socket.
func (r *relay) passSocket(request []byte) {
	answer, rights := make([]byte, messageSize), make([]byte, 64)
	if !r.isDetached() {
		n, m, err := r.ask(request, answer, rights)
		if err == nil {
			r.send(answer[:n], rights[:m])
			closeRights(rights[:m])
			return
		}
		r.detach() // a late answer would be taken for that to the next request
		r.report(fmt.Errorf("the serving Envoy does not pass its sockets: %w", err))
	}
	const noSocket = "\x12\x0d\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" // a reply with the file descriptor -1
	r.reply([]byte(noSocket), nil)
}

func (r *relay) ask(request, answer, rights []byte) (n, m int, err error) {
	if _, err := r.parent.WriteTo(request, r.parentAdd); err != nil {
		return 0, 0, err
	}
	if err := r.parent.SetReadDeadline(time.Now().Add(parentTimeout)); err != nil {
		return 0, 0, err
	}
	n, m, _, _, err = r.parent.ReadMsgUnix(answer, rights)
	return n, m, err
}

// closeRights closes the file descriptors of a control message.
func closeRights(rights []byte) {
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil {
		return
	}
	for _, message := range messages {
		descriptors, err := syscall.ParseUnixRights(&message)
		if err != nil {
			continue
		}
		for _, descriptor := range descriptors {
			_ = syscall.Close(descriptor)
		}
	}
}

// reply sends a message, which is preceded by its length.
func (r *relay) reply(message, rights []byte) {
	r.send(append(binary.BigEndian.AppendUint64(nil, uint64(len(message))), message...), rights)
}

// send fails if the Envoy has ended, which its launcher notices by itself.
func (r *relay) send(datagram, rights []byte) {
	_, _, _ = r.child.WriteMsgUnix(datagram, rights, r.childAddress)
}

// requestOf returns the kind of a request; 0 for anything else.
func requestOf(datagram []byte) int {
	const request = 1<<3 | 2
	if len(datagram) < lengthSize+1 || datagram[lengthSize] != request {
		return 0
	}
	_, n := binary.Uvarint(datagram[lengthSize+1:])
	if n <= 0 || len(datagram) <= lengthSize+1+n {
		return 0
	}
	return int(datagram[lengthSize+1+n] >> 3)
}

// shutdownReply claims that the parent has shut its admin interface down. Each worker of Envoy has its own listening socket.
func shutdownReply(started time.Time) []byte {
	body := binary.AppendUvarint([]byte{1 << 3}, uint64(started.Unix())) //nolint:gosec // after 1970
	body = append(body, 2<<3, 1)
	inner := append([]byte{shutdownAdmin<<3 | 2, byte(len(body))}, body...) //nolint:gosec // a few bytes
	return append([]byte{0x12, byte(len(inner))}, inner...)                 //nolint:gosec // a few bytes
}
