"""What has to be so in a cluster before an operator may work there, and what protects what it writes.

premises    waits until everything is there, and says what is not
crds        whether the CRDs that are served are at least those of this release
versions    whether the API server is new enough
policies    whether the admission policies are in force
"""

from fairlead.kube.premises.policies import Policies, unprotected
from fairlead.kube.premises.premises import Premises

__all__ = ["Policies", "Premises", "unprotected"]
