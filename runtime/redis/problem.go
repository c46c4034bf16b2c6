package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/redis/rueidis"
)

// Problem is a kind of error. Errors of the driver hold addresses, so only their kind is
// passed on.
type Problem string

// The kinds of errors.
const (
	Connecting Problem = "connecting" // nothing has been found out yet
	Files      Problem = "files"      // the files are missing or say nothing useful
	Refused    Problem = "refused"    // nobody listens there
	Timeout    Problem = "timeout"
	Closed     Problem = "closed" // the connection broke
	DNS        Problem = "dns"
	TLS        Problem = "tls"        // no TLS there, or a certificate that is not trusted
	Auth       Problem = "auth"       // wrong user or password
	Permission Problem = "permission" // the ACL user may not do what is needed
	ReadOnly   Problem = "readonly"
	Loading    Problem = "loading"
	Memory     Problem = "oom"
	Disk       Problem = "misconf" // writes are refused because they cannot be persisted
	Cluster    Problem = "clusterdown"
	Answer     Problem = "answer" // any other error that Redis answers
	Network    Problem = "network"
)

func (p Problem) Error() string { return "redis: " + string(p) }

// answers are the first words of what Redis answers.
var answers = map[string]Problem{
	"WRONGPASS": Auth, "NOAUTH": Auth, "NOPERM": Permission, "READONLY": ReadOnly, "LOADING": Loading,
	"MASTERDOWN": Loading, "OOM": Memory, "MISCONF": Disk, "CLUSTERDOWN": Cluster,
}

// problemOf finds the kind of an error.
func problemOf(err error) Problem {
	if answer, ok := errors.AsType[*rueidis.RedisError](err); ok {
		word, _, _ := strings.Cut(answer.Error(), " ")
		if p, known := answers[word]; known {
			return p
		}
		if strings.Contains(answer.Error(), "The user executing the script can't") {
			return Permission
		}
		return Answer
	}
	if p, ok := errors.AsType[Problem](err); ok {
		return p
	}
	if isTLS(err) {
		return TLS
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return DNS
	}
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), ok && timeout.Timeout():
		return Timeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE), errors.Is(err, rueidis.ErrClosing):
		return Closed
	}
	return Network
}

func isTLS(err error) bool {
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	return certificate || record || alert || authority
}
