"""The nodes that reach out: `http`, `notify` and `resource`.

    work          runs one of them in the child that was forked for it, hands over outputs or verdict
    web           http: urls (what may be asked), addresses and allowing (who may be asked), transport (one pinned
                  connection), messages (what is sent), answers (what is kept of the answer)
    notice        notify, by apprise
    resource      resource, by the official kubernetes client: cluster (requests and their errors)
    conditions    CEL over what came back
    credentials   Secrets, and how they stay out of everything

Rules of this package
- It is imported in the child alone, and each library by the module that uses it: `python` and `sh` nodes pay
  for none of this.
- What ends badly is a `failures.Failed` with a reason of the documented list and one sentence. No sentence
  shows a header, the query of a URL or the value of a Secret.
"""
