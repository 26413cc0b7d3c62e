//! The tags of a resource.

use std::fmt;
use std::ops::Deref;

use crate::ground::sync::Arc;

/// The tags of a resource, each of them once: what carries one is cleared together, by
/// [`Engine::clear_tag`](crate::Engine::clear_tag).
///
/// ```
/// use tenure::Tags;
///
/// let tags: Tags = ["tenant:7", "eu", "eu"].into_iter().collect();
/// assert_eq!(tags.iter().map(|it| &**it).collect::<Vec<_>>(), ["tenant:7", "eu"]);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Tags(Box<[Arc<str>]>);

impl<T: Into<Arc<str>>> FromIterator<T> for Tags {
    fn from_iter<I: IntoIterator<Item = T>>(tags: I) -> Self {
        let mut each: Vec<Arc<str>> = Vec::new();
        for tag in tags {
            let tag = tag.into();
            if !each.contains(&tag) {
                each.push(tag);
            }
        }
        Self(each.into())
    }
}

impl Deref for Tags {
    type Target = [Arc<str>];

    fn deref(&self) -> &[Arc<str>] {
        &self.0
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&*self.0).finish()
    }
}
